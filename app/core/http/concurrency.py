"""How many requests are worked on at once. The others wait in line, first come, first served.

Hundreds of requests in progress finish no earlier than a few: they share one event loop and the
connections of the pool. They only use more memory, and each of them delays every response.
"""

import asyncio
import time
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http.paths import is_health_check

PATIENCE = 1.0
"""Seconds after which a request returns its permit, although it has not finished.

It waits for a slow client or another service by then, and must not keep the others waiting.
"""

PERMIT = "app.permit"
"""In the scope of every request that has one."""

WEIGHT = 1 / 50
"""The weight of the newest interval in the average: permits come back in batches."""


class ConcurrencyLimiter:
    """Permits, and the line of requests that wait for one."""

    def __init__(self, permits: int) -> None:
        self._free = permits
        self._line: deque[asyncio.Future[None]] = deque()
        self._moved_at = 0.0
        self._interval = 0.0

    @property
    def waiting(self) -> int:
        """The length of the line."""
        return len(self._line)

    @property
    def expected_wait(self) -> float:
        """The seconds that a new request would wait, at the current speed of the line."""
        return self.waiting * self._interval

    def try_acquire(self) -> bool:
        """Take a permit if one is free."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Wait for a permit, and take it."""
        turn = asyncio.get_running_loop().create_future()
        if not self._line:
            self._moved_at = time.monotonic()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the permit came at the same moment
                self.release()
            raise

    def release(self) -> None:
        """Hand a permit to the first in line."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                self._measure()
                turn.set_result(None)
                return
        self._free += 1

    def _measure(self) -> None:
        now = time.monotonic()
        self._interval += WEIGHT * (now - self._moved_at - self._interval)
        self._moved_at = now


class LimitedConcurrency:
    """Begin a request once it has a permit. Health checks need none."""

    def __init__(
        self, app: ASGIApp, *, limiter: ConcurrencyLimiter, patience: float = PATIENCE
    ) -> None:
        self.app = app
        self.limiter = limiter
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_health_check(scope):
            await self.app(scope, receive, send)
            return
        waits = not self.limiter.try_acquire()
        if waits:
            await self.limiter.acquire()
        permit = scope[PERMIT] = Permit(self.limiter, self.patience)
        try:
            if not waits or _has_body(scope):
                await self.app(scope, receive, send)
            elif (first := await receive())["type"] != "http.disconnect":  # the client has not left
                await self.app(scope, _repeat(first, receive), send)
        finally:
            permit.give_back()


class Permit:
    """A permit that is returned once, by its request or when the patience with it ends."""

    def __init__(self, limiter: ConcurrencyLimiter, patience: float) -> None:
        self._release = limiter.release
        self._timer = asyncio.get_running_loop().call_later(patience, self.give_back)
        self._returned = False

    def give_back(self) -> None:
        if not self._returned:
            self._returned = True
            self._timer.cancel()
            self._release()


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _repeat(first: Message, receive: Receive) -> Receive:
    """Return a `receive` that replays one message, and then waits for the next ones."""
    received = [first]

    async def receive_again() -> Message:
        return received.pop() if received else await receive()

    return receive_again
