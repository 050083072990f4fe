from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from app.core.outbox import outbox
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.ticks import record_tick, ticks
from app.core.worker import cron, worker_settings
from app.core.worker.base_settings import WorkerSettings
from app.core.worker.cron import Cron
from app.core.worker.ticker import ticking
from app.schemas.jobs import BuildSignupReport
from tests.conftest import until

JOB = BuildSignupReport(days=7)


@pytest.fixture
def resources(committing: Resources) -> Resources:
    return committing


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_nightly_report_is_due_at_three_in_utc() -> None:
    nightly, *_ = WorkerSettings.crons

    assert nightly.next_after(at("2026-03-29T02:30Z")) == at("2026-03-29T03:00Z")
    assert nightly.next_after(at("2026-03-29T03:00Z")) == at("2026-03-30T03:00Z")


def test_a_time_zone_keeps_its_hour_over_the_change_of_the_clocks() -> None:
    early = cron(JOB, hour=6, timezone="Europe/Berlin")

    assert early.next_after(at("2026-03-28T12:00Z")) == at("2026-03-29T04:00Z")
    assert early.next_after(at("2026-03-27T12:00Z")) == at("2026-03-28T05:00Z")


def test_an_hour_that_comes_twice_has_all_its_minutes_twice() -> None:
    minutely = cron(JOB, minute=None, timezone="Europe/Berlin")

    ticks_of_three_hours = [at("2026-10-24T23:59Z")]
    while ticks_of_three_hours[-1] < at("2026-10-25T03:00Z"):
        ticks_of_three_hours.append(minutely.next_after(ticks_of_three_hours[-1]))

    steps = {b - a for a, b in pairwise(ticks_of_three_hours)}
    assert steps == {timedelta(minutes=1)}


def test_a_certain_hour_that_comes_twice_is_kept_once() -> None:
    nightly = cron(JOB, hour=2, minute=30, timezone="Europe/Berlin")

    assert nightly.next_after(at("2026-10-24T23:00Z")) == at("2026-10-25T00:30Z")
    assert nightly.next_after(at("2026-10-25T00:30Z")) == at("2026-10-26T01:30Z")
    assert nightly.next_after(at("2026-10-25T01:15Z")) == at("2026-10-26T01:30Z")


@pytest.mark.parametrize("since", ["2026-01-01T00:00Z", "2026-11-23T02:59:59Z"])
def test_of_many_missed_times_the_last_one_counts(since: str) -> None:
    nightly = cron(JOB, hour=3)

    assert nightly.last_between(at(since), at("2026-11-23T03:00:05Z")) == at("2026-11-23T03:00Z")
    assert nightly.last_between(at("2026-11-23T03:00Z"), at("2026-11-24T02:59Z")) is None


def test_two_crons_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="BuildSignupReport: give each a name"):
        worker_settings(BASE, handlers=[], crons=[cron(JOB, hour=1), cron(JOB, hour=2)])


def every_second() -> Cron:
    return cron(JOB, minute=None, second=None)


async def jobs(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return len((await uow.session.execute(select(outbox.c.id))).all())


async def recorded(resources: Resources) -> datetime | None:
    async with resources.unit_of_work() as uow:
        tick: datetime | None = await uow.session.scalar(select(ticks.c.ticked_at))
        return tick


async def test_a_tick_has_its_job_done_once_however_many_workers_tick(
    resources: Resources,
) -> None:
    begun = datetime.now(UTC)

    async def ticked_three_times() -> bool:
        return await jobs(resources) >= 3

    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(ticking([every_second()], resources))
        await until(ticked_three_times)

    last = await recorded(resources)
    assert last is not None
    assert await jobs(resources) <= (last - begun).total_seconds() + 1


@pytest.mark.parametrize(("catch_up", "expected"), [(True, 1), (False, 0)])
async def test_a_tick_that_everybody_missed_is_caught_up_with_once_if_the_job_asks_for_it(
    resources: Resources, catch_up: bool, expected: int
) -> None:
    yearly = cron(JOB, month=datetime.now(UTC).month, day=1, hour=0, catch_up=catch_up)
    async with resources.unit_of_work() as uow:
        await record_tick(uow.session, yearly.name, datetime(2020, 1, 1, tzinfo=UTC))
    marker = cron(BuildSignupReport(days=1), name="marker", minute=None, second=None)
    async with ticking([yearly, marker], resources), ticking([yearly, marker], resources):
        await until(lambda: is_enqueued(resources, days=1))

    assert await count(resources, days=7) == expected


async def count(resources: Resources, *, days: int) -> int:
    async with resources.unit_of_work() as uow:
        of_days = outbox.c.payload["days"].as_integer() == days
        return len((await uow.session.execute(select(outbox.c.id).where(of_days))).all())


async def is_enqueued(resources: Resources, *, days: int) -> bool:
    return await count(resources, days=days) > 0
