"""Enqueues jobs by the clock.

A tick and its job are written in one transaction: however many workers tick, the job is there once,
and a worker that dies half-way leaves the tick to the others.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.exceptions import DatabaseUnavailable
from app.core.job_store.cron_ticks import last_tick, record_tick
from app.core.resources import Resources
from app.core.worker.cron.schedule import Cron

log = structlog.stdlib.get_logger("app.worker")

LONGEST_NAP = 5.0
"""Seconds. When the clock is corrected, the scheduler must notice."""

RETRY_AFTER = 1.0


@asynccontextmanager
async def running_crons(crons: Sequence[Cron], resources: Resources) -> AsyncIterator[None]:
    """Enqueue the jobs of crons for as long as the block lasts."""
    ending = asyncio.Event()
    task = asyncio.create_task(_Scheduler(crons, resources).tick_until(ending))
    try:
        yield
    finally:
        ending.set()
        await task


class _Scheduler:
    def __init__(self, crons: Sequence[Cron], resources: Resources) -> None:
        self._crons = crons
        self._resources = resources
        self._since: dict[str, datetime] = {}

    async def tick_until(self, ending: asyncio.Event) -> None:
        quiet = True
        while self._crons and not ending.is_set():
            try:
                nap = await self._tick_all()
                quiet = True
            except (DatabaseUnavailable, SQLAlchemyError, OSError) as error:
                if quiet:
                    log.warning("cron.not_ticked", error=str(error))
                quiet, nap = False, RETRY_AFTER
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), nap)

    async def _tick_all(self) -> float:
        """Tick where it is time, and return for how many seconds there is nothing to do."""
        nap = LONGEST_NAP
        for cron in self._crons:
            if cron.name not in self._since:
                self._since[cron.name] = await self._beginning(cron)
            now = datetime.now(UTC)
            if tick := cron.last_between(self._since[cron.name], now):
                await self._tick(cron, tick)
                self._since[cron.name] = tick
            ahead = cron.next_after(max(now, self._since[cron.name])) - datetime.now(UTC)
            nap = min(nap, ahead.total_seconds())
        return max(nap, 0)

    async def _beginning(self, cron: Cron) -> datetime:
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
