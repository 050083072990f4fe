"""Waking a worker as soon as there is something to do."""

import asyncio
from contextlib import suppress

from redis.exceptions import RedisError

from app.core.queue_redis import QueueRedis
from app.core.wire import Wire

LONGEST_WAIT = 1.0
"""Seconds between two looks at the queue when nothing has rung."""

PATIENCE = 0.75
"""The part of Redis's time-out that one wait for a token may take."""


class Doorbell:
    """Rung through Redis by whoever sends a job, and from inside.

    The list is listened to only while the worker can take a job: a token that is taken by a busy
    worker would leave an idle one asleep.
    """

    def __init__(self, redis: QueueRedis, *, timeout: float) -> None:
        self._wire = Wire(redis.connection_pool)
        self._patience = timeout * PATIENCE
        self._key = f"{redis.default_queue_name}:wake"
        self._rung = asyncio.Event()
        self._listening = False
        self._listener: asyncio.Task[object] | None = None

    def ring(self) -> None:
        self._rung.set()

    def quieten(self) -> None:
        """Forget earlier rings: a look at the queue is about to begin."""
        self._rung.clear()

    async def wait(self, seconds: float, *, listening: bool) -> None:
        """Return when it rings, or after some seconds."""
        self._listening = listening
        if listening and self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
        await self._wire.aclose()

    async def _listen(self) -> None:
        try:
            while self._listening:
                [token] = await self._wire.execute(("BLPOP", self._key, self._patience))
                if token:  # or an error, which the look at the queue will find, too
                    self.ring()
                    return
        except (RedisError, OSError):
            self.ring()  # the look at the queue will find out, and say so
        finally:
            self._listener = None
