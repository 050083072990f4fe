"""A Redis that is away: said once, waited for, and said again when it is back."""

import asyncio

import structlog

log = structlog.stdlib.get_logger("app.worker")

PAUSE = 1.0
"""Seconds between two looks for a Redis that is away."""


class Outage:
    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._lasts = False

    async def pause(self, error: Exception) -> None:
        """Wait a moment before the next try; the first time, say why."""
        if not self._lasts:
            log.warning("redis.away", queue=self._queue, error=str(error))
        self._lasts = True
        await asyncio.sleep(PAUSE)

    def is_over(self) -> None:
        """Note that Redis has answered."""
        if self._lasts:
            log.info("redis.back", queue=self._queue)
        self._lasts = False
