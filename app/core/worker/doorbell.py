"""Waking a worker as soon as there is something to do."""

import asyncio
from contextlib import suppress

from redis.exceptions import RedisError

from app.core.queue_redis import QueueRedis

LONGEST_WAIT = 1.0
"""Seconds between two looks at the queue when nothing has rung."""

GATHERING = 0.002
"""Seconds for which the end of a job waits for others: what is told together costs one trip."""

PATIENCE = 0.75
"""The part of Redis's time-out that one wait for a token may take."""


class Doorbell:
    """Rung through Redis by whoever sends a job, and from inside.

    The list is listened to only while the worker can take a job: a token that is taken by a busy
    worker would leave an idle one asleep.
    """

    def __init__(self, redis: QueueRedis, *, timeout: float) -> None:
        self._redis = redis
        self._patience = timeout * PATIENCE
        self._key = f"{redis.default_queue_name}:wake"
        self._rung = asyncio.Event()
        self._urgent = asyncio.Event()
        self._listener: asyncio.Task[object] | None = None

    def ring(self, *, urgent: bool = True) -> None:
        self._rung.set()
        if urgent:
            self._urgent.set()

    def quieten(self) -> None:
        """Forget earlier rings: a look at the queue is about to begin."""
        self._rung.clear()
        self._urgent.clear()

    async def wait(self, seconds: float, *, listening: bool) -> None:
        """Return when it rings, a moment later when it is not urgent, or after some seconds."""
        if listening and self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        await _first(self._rung, seconds)
        if self._rung.is_set():
            await _first(self._urgent, GATHERING)

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    async def _listen(self) -> None:
        try:
            command = ("BLPOP", self._key, self._patience)
            if await self._redis.execute_command(*command):  # type: ignore[no-untyped-call]
                self.ring()
        except (RedisError, OSError):
            self.ring()  # the look at the queue will find out, and say so
        finally:
            self._listener = None


async def _first(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
