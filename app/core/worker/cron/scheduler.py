"""Enqueues the jobs of crons.

A tick and its job are written in one transaction. So several workers enqueue the job only once, and
if a worker dies halfway, another one does it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog

from app.core.database import DATABASE_ERRORS
from app.core.job_store.cron_ticks import last_tick, record_tick
from app.core.resources import Resources
from app.core.worker.cron.schedule import Cron

log = structlog.stdlib.get_logger("app.worker")

MAX_SLEEP = 5.0
"""In seconds. The scheduler must notice when the clock is corrected."""

RETRY_AFTER = 1.0


@asynccontextmanager
async def running_crons(crons: Sequence[Cron], resources: Resources) -> AsyncIterator[None]:
    """Enqueue the jobs of crons during the block."""
    stopping = asyncio.Event()
    task = asyncio.create_task(_Scheduler(crons, resources).tick_until(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


class _Scheduler:
    def __init__(self, crons: Sequence[Cron], resources: Resources) -> None:
        self._crons = crons
        self._resources = resources
        self._since: dict[str, datetime] = {}

    async def tick_until(self, stopping: asyncio.Event) -> None:
        is_healthy = True
        while self._crons and not stopping.is_set():
            try:
                pause = await self._tick_due()
                is_healthy = True
            except DATABASE_ERRORS as error:
                if is_healthy:
                    log.warning("cron.not_ticked", error=str(error))
                is_healthy, pause = False, RETRY_AFTER
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)

    async def _tick_due(self) -> float:
        """Tick the crons that are due, and return the seconds until the next one is."""
        pause = MAX_SLEEP
        for cron in self._crons:
            if cron.name not in self._since:
                self._since[cron.name] = await self._last_tick(cron)
            now = datetime.now(UTC)
            if tick := cron.last_between(self._since[cron.name], now):
                await self._tick(cron, tick)
                self._since[cron.name] = tick
            wait = cron.next_after(max(now, self._since[cron.name])) - datetime.now(UTC)
            pause = min(pause, wait.total_seconds())
        return max(pause, 0)

    async def _last_tick(self, cron: Cron) -> datetime:
        now = datetime.now(UTC)
        if not cron.catch_up:
            return now
        async with self._resources.unit_of_work() as uow:
            return await last_tick(uow.session, cron.name) or now

    async def _tick(self, cron: Cron, tick: datetime) -> None:
        async with self._resources.unit_of_work() as uow:
            if not await record_tick(uow.session, cron.name, tick):
                return
            job_id = uow.enqueue(cron.job)
        log.info("cron.ticked", cron=cron.name, tick=tick.isoformat(), job_id=str(job_id))
