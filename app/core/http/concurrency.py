"""A limit on concurrent requests. The others wait in a queue, first in, first out.

Hundreds of concurrent requests do not finish earlier than a few, because they share one event loop
and the connections of the pool. They use more memory, and each delays every response.
"""

import asyncio
import time
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http.paths import is_health_check

PATIENCE = 1.0
"""Seconds after which a request releases its permit, although it has not finished.

By then, it waits for a slow client or another service, and must not block other requests.
"""

PERMIT = "app.permit"
"""The key of the permit in the scope of a request."""

WEIGHT = 1 / 50
"""The weight of the newest interval in the average. Permits are released in batches."""


class ConcurrencyLimiter:
    """Permits, and the queue of requests that wait for one."""

    def __init__(self, permits: int) -> None:
        self._free = permits
        self._line: deque[asyncio.Future[None]] = deque()
        self._moved_at = 0.0
        self._interval = 0.0

    @property
    def waiting(self) -> int:
        """The length of the queue."""
        return len(self._line)

    def expected_wait_behind(self, others: int) -> float:
        """Return the seconds that a request would wait if others join the queue before it."""
        return max(0, len(self._line) + others - self._free) * self._interval

    def try_acquire(self) -> bool:
        """Acquire a permit if one is free."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Wait for a permit, and acquire it."""
        turn = asyncio.get_running_loop().create_future()
        if not self._line:
            self._moved_at = time.monotonic()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the permit was granted at the same time
                self.release()
            raise

    def release(self) -> None:
        """Release a permit to the first request in the queue."""
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
    """Starts a request once it has a permit. Health checks need none."""

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
            permit.release()


class Permit:
    """A permit that is released once: by its request, or `patience` seconds after its start."""

    def __init__(self, limiter: ConcurrencyLimiter, patience: float) -> None:
        self._release = limiter.release
        self._timer = asyncio.get_running_loop().call_later(patience, self.release)
        self._released = False

    def release(self) -> None:
        if not self._released:
            self._released = True
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
