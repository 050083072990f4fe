"""Outages of Redis, with one log line at the start and one at the end."""

import asyncio

import structlog

log = structlog.stdlib.get_logger("app.worker")

RETRY_INTERVAL = 1.0
"""In seconds."""


class Outage:
    def __init__(self, queue: str) -> None:
        self._queue = queue
        self.is_ongoing = False

    async def pause(self, error: Exception) -> None:
        """Wait before the next try. The first call logs the error."""
        if not self.is_ongoing:
            log.warning("redis.away", queue=self._queue, error=str(error))
        self.is_ongoing = True
        await asyncio.sleep(RETRY_INTERVAL)

    def end(self) -> None:
        """Log the end of an outage, if there was one."""
        if self.is_ongoing:
            log.info("redis.back", queue=self._queue)
        self.is_ongoing = False
