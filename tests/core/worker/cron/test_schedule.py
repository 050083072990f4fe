from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from app.core.job_store.cron_ticks import cron_ticks, record_tick
from app.core.job_store.outbox import outbox
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.worker import worker_settings
from app.core.worker.base_settings import WorkerSettings
from app.core.worker.cron.schedule import Cron, cron
from app.core.worker.cron.scheduler import running_crons
from app.schemas.jobs import BuildSignupReport
from tests.support.waiting import wait_until

JOB = BuildSignupReport(days=7)


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    return committing_resources


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_nightly_report_is_due_at_three_in_utc() -> None:
    nightly, *_ = WorkerSettings.crons

    assert nightly.next_after(at("2026-03-29T02:30Z")) == at("2026-03-29T03:00Z")
    assert nightly.next_after(at("2026-03-29T03:00Z")) == at("2026-03-30T03:00Z")


def test_a_cron_keeps_its_local_hour_when_summer_time_begins_and_ends() -> None:
    early = cron(JOB, hour=6, timezone="Europe/Berlin")

    assert early.next_after(at("2026-03-28T12:00Z")) == at("2026-03-29T04:00Z")
    assert early.next_after(at("2026-03-27T12:00Z")) == at("2026-03-28T05:00Z")


def test_a_cron_of_every_hour_runs_in_both_hours_when_summer_time_ends() -> None:
    minutely = cron(JOB, minute=None, timezone="Europe/Berlin")

    ticks_of_three_hours = [at("2026-10-24T23:59Z")]
    while ticks_of_three_hours[-1] < at("2026-10-25T03:00Z"):
        ticks_of_three_hours.append(minutely.next_after(ticks_of_three_hours[-1]))

    steps = {b - a for a, b in pairwise(ticks_of_three_hours)}
    assert steps == {timedelta(minutes=1)}


def test_a_cron_of_a_fixed_hour_runs_once_when_summer_time_ends() -> None:
    nightly = cron(JOB, hour=2, minute=30, timezone="Europe/Berlin")

    assert nightly.next_after(at("2026-10-24T23:00Z")) == at("2026-10-25T00:30Z")
    assert nightly.next_after(at("2026-10-25T00:30Z")) == at("2026-10-26T01:30Z")
    assert nightly.next_after(at("2026-10-25T01:15Z")) == at("2026-10-26T01:30Z")


@pytest.mark.parametrize("since", ["2026-01-01T00:00Z", "2026-11-23T02:59:59Z"])
def test_only_the_last_of_many_missed_times_counts(since: str) -> None:
    nightly = cron(JOB, hour=3)

    assert nightly.last_between(at(since), at("2026-11-23T03:00:05Z")) == at("2026-11-23T03:00Z")
    assert nightly.last_between(at("2026-11-23T03:00Z"), at("2026-11-24T02:59Z")) is None


def test_two_crons_with_one_name_are_rejected() -> None:
    with pytest.raises(ValueError, match="BuildSignupReport: give each a name"):
        worker_settings(BASE, handlers=[], crons=[cron(JOB, hour=1), cron(JOB, hour=2)])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"month": 0}, "month is 0"),
        ({"month": 13}, "month is 13"),
        ({"day": 32}, "day is 32"),
        ({"weekday": 7}, "weekday is 7"),
        ({"weekday": -1}, "weekday is -1"),
        ({"weekday": "mon"}, "weekday as a number from 0 to 6"),
        ({"hour": 24}, "hour is 24"),
        ({"hour": {3, 24}}, "hour is 24"),
        ({"hour": range(3)}, "hour as a number from 0 to 23"),
        ({"minute": 60}, "minute is 60"),
        ({"minute": 1.5}, "minute as a number from 0 to 59"),
        ({"second": {"0"}}, "second is '0'"),
        ({"second": True}, "second is True"),
        ({"minute": set()}, "minute is an empty set"),
        ({"month": 2, "day": 30}, "month 2 has no day 30"),
        ({"month": {4, 6, 9, 11}, "day": 31}, "no day 31"),
        ({"month": 2, "day": {30, 31}}, "month 2 has no day"),
    ],
)
def test_a_cron_that_never_runs_is_rejected(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"BuildSignupReport .*{problem}"):
        cron(JOB, **fields)


def test_a_cron_may_run_on_a_leap_day() -> None:
    leap = cron(JOB, month=2, day=29)

    assert leap.next_after(at("2026-01-01T00:00Z")) == at("2028-02-29T00:00Z")


def every_second() -> Cron:
    return cron(JOB, minute=None, second=None)


async def jobs(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return len((await uow.session.execute(select(outbox.c.id))).all())


async def recorded(resources: Resources) -> datetime | None:
    async with resources.unit_of_work() as uow:
        tick: datetime | None = await uow.session.scalar(select(cron_ticks.c.ticked_at))
        return tick


async def test_a_tick_enqueues_its_job_once_however_many_workers_run(
    resources: Resources,
) -> None:
    begun = datetime.now(UTC)

    async def ticked_three_times() -> bool:
        return await jobs(resources) >= 3

    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(running_crons([every_second()], resources))
        await wait_until(ticked_three_times)

    last = await recorded(resources)
    assert last is not None
    assert await jobs(resources) <= (last - begun).total_seconds() + 1


@pytest.mark.parametrize(("catch_up", "expected"), [(True, 1), (False, 0)])
async def test_a_cron_with_catch_up_runs_once_for_ticks_that_every_worker_missed(
    resources: Resources, catch_up: bool, expected: int
) -> None:
    yearly = cron(JOB, month=datetime.now(UTC).month, day=1, hour=0, catch_up=catch_up)
    async with resources.unit_of_work() as uow:
        await record_tick(uow.session, yearly.name, datetime(2020, 1, 1, tzinfo=UTC))
    marker = cron(BuildSignupReport(days=1), name="marker", minute=None, second=None)
    async with (
        running_crons([yearly, marker], resources),
        running_crons([yearly, marker], resources),
    ):
        await wait_until(lambda: is_enqueued(resources, days=1))

    assert await count(resources, days=7) == expected


async def count(resources: Resources, *, days: int) -> int:
    async with resources.unit_of_work() as uow:
        of_days = outbox.c.payload["days"].as_integer() == days
        return len((await uow.session.execute(select(outbox.c.id).where(of_days))).all())


async def is_enqueued(resources: Resources, *, days: int) -> bool:
    return await count(resources, days=days) > 0
