"""Two releases serve a queue during a deploy, and neither loses jobs of the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control import Count
from app.core.job_store.record import JobState
from app.core.queue import BASE, Job
from app.core.resources import Resources
from app.core.worker.engine.worker import Worker
from app.core.worker.execution.postponements import MAX_DELAY, MIN_DELAY, postponement_delay
from app.core.worker.execution.registry import Handlers
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.core.control.jobs import cancel, job_of
from tests.support.service import already_open, with_settings
from tests.support.waiting import logged, wait_until

KEYS = QueueKeys(BASE)


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the workers can see."""
    return committing_resources


class Paint(Job, queue=BASE, max_tries=1):
    color: str = "red"


def painter(painted: list[str]) -> Handlers:
    async def paint(ctx: JobContext, job: Paint) -> None:  # noqa: ARG001
        painted.append(job.color)

    return [paint]


def earlier_painter() -> Handlers:
    """Return the handler of a release whose job has another field."""

    class Paint(Job, queue=BASE, max_tries=1):
        shade: int

    async def paint(ctx: JobContext, job: Paint) -> None: ...

    paint.__annotations__["job"] = Paint
    return [paint]


@asynccontextmanager
async def running(resources: Resources, handlers: Handlers) -> AsyncIterator[None]:
    settings = worker_settings(
        BASE,
        handlers=handlers,
        settings=resources.settings,
        open_resources=already_open(resources),
    )
    task = asyncio.create_task(Worker(settings).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def enqueue(resources: Resources, color: str = "red") -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(Paint(color=color))


async def is_postponed(resources: Resources) -> bool:
    stats = await control.queue_overview(resources.reader, resources.queues, "base")
    return stats.postponed == {"Paint": 1}


@pytest.mark.parametrize("earlier", [[], earlier_painter()], ids=["unknown", "incompatible"])
async def test_a_job_of_a_newer_release_waits_and_a_newer_worker_takes_it_at_once(
    resources: Resources, earlier: Handlers
) -> None:
    painted: list[str] = []
    with capture_logs() as lines:
        async with running(resources, earlier):
            job_id = await enqueue(resources)
            await wait_until(lambda: is_postponed(resources))
            await wait_until(lambda: is_released(resources, job_id))
            await put_far_off(resources, job_id)
            async with running(resources, painter(painted)):
                await wait_until(lambda: has_succeeded(resources, job_id))

    assert painted == ["red"]
    assert (await job_of(resources, job_id)).attempt == 1
    assert await logged(lines, "job.postponed")
    stats = await control.queue_overview(resources.reader, resources.queues, "base")
    assert (stats.postponed, stats.dead) == ({}, Count(0))


async def is_released(resources: Resources, job_id: UUID) -> bool:
    return not await resources.queues[BASE].exists(KEYS.in_progress(job_id))


async def put_far_off(resources: Resources, job_id: UUID) -> None:
    """Postpone the next check of the running worker for as long as possible."""
    due = (await resources.queues[BASE].time())[0] + MAX_DELAY
    await resources.queues[BASE].zadd(KEYS.queue, {str(job_id): due * 1000})


async def has_succeeded(resources: Resources, job_id: UUID) -> bool:
    return (await job_of(resources, job_id)).state is JobState.SUCCEEDED


async def test_a_job_that_no_release_can_run_becomes_a_dead_letter_after_the_time_limit(
    resources: Resources,
) -> None:
    impatient = with_settings(resources, incompatible_job_timeout=1)
    async with running(impatient, []):
        job_id = await enqueue(resources)
        await wait_until(lambda: has_failed(resources, job_id))

    letter = await control.get_dead_letter(resources.sessions, job_id)
    assert letter.error.startswith("UnknownJob: this release has no job 'Paint'")
    assert letter.payload == {"color": "red"}


async def has_failed(resources: Resources, job_id: UUID) -> bool:
    return (await job_of(resources, job_id)).state is JobState.FAILED


async def test_a_field_that_this_release_does_not_know_is_left_out(resources: Resources) -> None:
    class Newer(Paint, queue=BASE):
        size: int = 3

    Newer.__name__ = "Paint"
    painted: list[str] = []
    async with running(resources, painter(painted)):
        async with resources.unit_of_work() as uow:
            job_id = uow.enqueue(Newer(color="blue"))
        await wait_until(lambda: has_succeeded(resources, job_id))

    assert painted == ["blue"]


async def test_a_postponed_job_can_be_canceled(resources: Resources) -> None:
    async with running(resources, []):
        job_id = await enqueue(resources)
        await wait_until(lambda: is_postponed(resources))
        await wait_until(lambda: is_released(resources, job_id))
        await cancel(resources, job_id)

    assert not await resources.queues[BASE].exists(KEYS.postponed, KEYS.queue)


def test_a_postponed_job_is_checked_less_often_the_longer_it_waits() -> None:
    hour = timedelta(hours=1).total_seconds()

    assert MIN_DELAY / 2 <= postponement_delay(0) <= MIN_DELAY
    assert MAX_DELAY / 2 <= postponement_delay(hour) <= MAX_DELAY
