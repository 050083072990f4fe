"""The crons, as their workers describe them."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core import control
from app.core.job_store.cron_ticks import record_tick
from app.core.job_store.record import JobState
from app.core.resources import Resources
from tests.core.control.crons import NIGHTLY, working
from tests.core.control.jobs import job_of
from tests.support.waiting import wait_until


async def test_a_cron_is_listed_with_its_last_and_its_next_run(resources: Resources) -> None:
    tick = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    async with resources.unit_of_work() as uow:
        await record_tick(uow.session, "nightly", tick)

    async with working(resources):
        [listed] = await control.list_crons(resources.sessions, resources.queues)

    assert (listed.name, listed.job, listed.queue) == ("nightly", "Paint", "base")
    assert listed.schedule == "hour 3, minute 0, second 0 (Europe/Berlin)"
    assert (listed.last_run, listed.next_run) == (tick, NIGHTLY.next_after(datetime.now(UTC)))
    [forgotten] = await control.list_crons(resources.sessions, resources.queues)
    assert (forgotten.last_run, forgotten.next_run) == (tick, None)


async def test_a_cron_runs_at_once_when_an_operator_wants_it(resources: Resources) -> None:
    async def is_done() -> bool:
        return (await job_of(resources, job_id)).state is JobState.SUCCEEDED

    async with working(resources):
        job_id = await control.run_cron_now(resources.sessions, resources.queues, "nightly")
        await wait_until(is_done)

    assert (await job_of(resources, job_id)).result == "night"


async def test_a_cron_that_no_live_worker_has_is_not_run(resources: Resources) -> None:
    with pytest.raises(control.CronNotFound, match="nightly"):
        await control.run_cron_now(resources.sessions, resources.queues, "nightly")
