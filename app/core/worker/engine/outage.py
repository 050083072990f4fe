"""A Redis that does not answer: logged once, waited for, and logged again when it is back."""

import asyncio

import structlog

log = structlog.stdlib.get_logger("app.worker")

PAUSE = 1.0
"""Seconds between two tries to reach a Redis that does not answer."""


class Outage:
    def __init__(self, queue: str) -> None:
        self._queue = queue
        self.lasts = False

    async def pause(self, error: Exception) -> None:
        """Wait before the next try. Log the reason the first time."""
        if not self.lasts:
            log.warning("redis.away", queue=self._queue, error=str(error))
        self.lasts = True
        await asyncio.sleep(PAUSE)

    def end(self) -> None:
        """Log that Redis answers again, if it did not before."""
        if self.lasts:
            log.info("redis.back", queue=self._queue)
        self.lasts = False
