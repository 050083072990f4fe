"""Jobs by the clock.

A tick and its job are written in one transaction: however many workers tick, the job is there once,
and a worker that dies half-way leaves the tick to the others.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from zoneinfo import ZoneInfo

import structlog
from arq.cron import next_cron
from sqlalchemy.exc import SQLAlchemyError

from app.core.exceptions import DatabaseUnavailable
from app.core.queue import Job
from app.core.resources import Resources
from app.core.ticks import last_tick, record_tick

log = structlog.stdlib.get_logger("app.worker")

LONGEST_NAP = 5.0
"""Seconds: a clock that is put right must not leave a ticker asleep."""

RETRY_AFTER = 1.0

At = int | set[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A job and the times at which it is done, by the clock of a time zone."""

    job: Job
    name: str
    month: At
    day: At
    weekday: At
    hour: At
    minute: At
    second: At
    zone: ZoneInfo
    catch_up: bool

    def next_after(self, moment: datetime) -> datetime:
        """Tell the first tick after a moment, in UTC.

        In autumn an hour comes twice: a job of a certain hour is done the first time, one of every
        hour both times.
        """
        local = moment.astimezone(self.zone)
        if self.hour is None and (offset := local.utcoffset()) is not None:
            local = moment.astimezone(fixed_offset(offset))
        while local <= moment:
            local = next_cron(
                local,
                month=self.month,
                day=self.day,
                weekday=self.weekday,
                hour=self.hour,
                minute=self.minute,
                second=self.second,
                microsecond=0,
            )
        return local.astimezone(UTC)

    def last_between(self, since: datetime, now: datetime) -> datetime | None:
        """Tell the last tick after `since` and up to `now`."""
        window = timedelta(seconds=2)
        while (tick := self.next_after(max(since, now - window))) > now:
            if now - window <= since:
                return None
            window *= 2
        while (later := self.next_after(tick)) <= now:
            tick = later
        return tick


def cron(  # noqa: PLR0913  a crontab's fields
    job: Job,
    *,
    name: str | None = None,
    month: At = None,
    day: At = None,
    weekday: At = None,
    hour: At = None,
    minute: At = 0,
    second: At = 0,
    timezone: str = "UTC",
    catch_up: bool = False,
) -> Cron:
    """Have a job done at these times, each time once, however many workers there are.

    None means every; a weekday is a number from 0 for Monday. `timezone` is an IANA name. Times
    that passed while no worker ran are left out; with `catch_up`, the job is then done once as soon
    as a worker runs. The `name`, by default the job's, is what its last time is remembered by.

    Raises zoneinfo.ZoneInfoNotFoundError.
    """
    return Cron(
        job=job,
        name=name or type(job).__name__,
        month=month,
        day=day,
        weekday=weekday,
        hour=hour,
        minute=minute,
        second=second,
        zone=ZoneInfo(timezone),
        catch_up=catch_up,
    )


def refuse_equal_names(crons: Iterable[Cron]) -> None:
    """Raises ValueError where two crons would take each other's ticks for their own."""
    names = [cron.name for cron in crons]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"several crons are called {', '.join(sorted(twice))}: give each a name")


@asynccontextmanager
async def ticking(crons: Sequence[Cron], resources: Resources) -> AsyncIterator[None]:
    """Have the jobs of the clock done for as long as the block lasts."""
    ending = asyncio.Event()
    task = asyncio.create_task(_Ticker(crons, resources).tick_until(ending))
    try:
        yield
    finally:
        ending.set()
        await task


class _Ticker:
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
        """Tick where it is time, and tell for how many seconds there is nothing to do."""
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
