"""Progress reports of handlers, which are written to Redis at most a few times per second."""

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from app.core.broker.client import QueueRedis
from app.core.job_store.live import save_progress

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = 0.25
"""Seconds between two writes."""

RETRY_AFTER = 10.0
"""Seconds until the next write after a failed one, because the handler waits for each write."""

MAX_MESSAGE = 200
"""In characters."""


class ProgressReport:
    """The progress of one try. A report that comes too early waits until a newer one replaces it.

    A job does not fail because of an outage of Redis.
    """

    def __init__(self, redis: QueueRedis, job_id: UUID) -> None:
        self._redis = redis
        self._job_id = job_id
        self._loop = asyncio.get_running_loop()
        self._pending: tuple[float, str | None] | None = None
        self._next_write = 0.0
        self._later: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def report(self, fraction: float, message: str | None) -> None:
        self._pending = fraction, message
        if self._loop.time() >= self._next_write:
            # Not in a task, which would never run if the handler awaits nothing else.
            await self._write()
        elif self._later is None:
            self._later = asyncio.create_task(self._write_later())

    async def close(self) -> None:
        """Write the last report. Do not report afterwards, because the next try starts from 0."""
        self._closing.set()
        if self._later is not None:
            await self._later
        await self._write()

    async def _write_later(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._next_write):
                await self._closing.wait()
        self._later = None
        await self._write()

    async def _write(self) -> None:
        if self._pending is None:
            return
        (fraction, message), self._pending = self._pending, None
        self._next_write = self._loop.time() + INTERVAL
        try:
            await save_progress(self._redis, self._job_id, _clamped(fraction), _plain(message))
        except (RedisError, OSError) as error:
            self._next_write = self._loop.time() + RETRY_AFTER
            log.warning("job.progress_lost", job_id=str(self._job_id), error=str(error))


def _clamped(fraction: float) -> float:
    """Return a fraction from 0 to 1. A sum of many small parts may be slightly more than 1."""
    return min(max(fraction, 0.0), 1.0)


def _plain(message: str | None) -> str | None:
    """Return one line of printable characters that is not too long."""
    if message is None:
        return None
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"
