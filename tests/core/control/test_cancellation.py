import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.core import control, outbox
from app.core.control.cancellation import JobEnded
from app.core.control.finding import JobNotFound
from app.core.job_record import JobState
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.worker.sweeper import sweep
from app.workers.context import JobContext
from tests.conftest import until
from tests.core.control.jobs import Paint, bury, enqueue, working


async def rows(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await uow.session.scalar(select(func.count()).select_from(outbox.outbox)) or 0


async def ends_as(resources: Resources, job_id: UUID, state: JobState) -> None:
    async def ended() -> bool:
        return not await resources.queues[BASE].exists(f"arq:in-progress:{job_id}")

    await until(ended)
    assert (await control.find_job(resources, job_id)).state is state


async def test_a_waiting_job_that_is_cancelled_is_gone_and_says_so(resources: Resources) -> None:
    job_id = await enqueue(resources, Paint())

    assert (await control.cancel(resources, job_id)).state is JobState.QUEUED

    job = await control.find_job(resources, job_id)
    assert (job.state, job.error, job.started_at) == (JobState.CANCELLED, None, None)
    assert (job.name, job.queue) == ("Paint", "base")
    assert await rows(resources) == 0
    redis = resources.queues[BASE]
    assert {key.decode() for key in await redis.keys("*")} <= {
        f"arq:result:{job_id}",
        f"{BASE.key}:wake",
    }
    assert 0 < await redis.ttl(f"arq:result:{job_id}") <= resources.settings.job_result_ttl


async def test_a_job_for_later_can_be_cancelled(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(Paint(), delay=timedelta(hours=1), priority=5)

    assert (await control.cancel(resources, job_id)).state is JobState.SCHEDULED
    assert not await resources.queues[BASE].exists(
        BASE.key, f"{BASE.key}:later", f"{BASE.key}:priority"
    )


async def test_a_job_that_was_never_sent_can_be_cancelled(resources: Resources) -> None:
    job_id = await enqueue(resources, Paint())
    await resources.queues[BASE].flushdb()

    await control.cancel(resources, job_id)

    assert (await control.find_job(resources, job_id)).state is JobState.CANCELLED


async def test_a_sweeper_that_has_read_the_row_cannot_bring_a_cancelled_job_back(
    resources: Resources,
) -> None:
    job_id = await enqueue(resources, Paint())
    async with resources.unit_of_work() as uow:
        await outbox.check_now(uow.session, BASE)
        [envelope] = await outbox.take_overdue(uow.session, BASE)

    await control.cancel(resources, job_id)
    await resources.queues.post([envelope])

    assert await resources.queues[BASE].zcard(BASE.key) == 0
    assert await sweep(BASE, resources) == 0


async def test_the_worker_stops_a_running_job_within_seconds(resources: Resources) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await asyncio.wait_for(began.wait(), 10)
        assert (await control.cancel(resources, job_id)).state is JobState.RUNNING
        await asyncio.wait_for(stopped.wait(), 3)
        await ends_as(resources, job_id, JobState.CANCELLED)

    assert await rows(resources) == 0
    assert await resources.queues[BASE].zcard("arq:abort") == 0
    assert (await control.dead_letters(resources)).count == 0


async def test_a_running_job_without_a_row_can_be_cancelled(resources: Resources) -> None:
    began = asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        began.set()
        await asyncio.Event().wait()

    job_id = await resources.queues.send(Paint())
    async with working(resources, paint):
        await asyncio.wait_for(began.wait(), 10)
        await control.cancel(resources, job_id)
        await ends_as(resources, job_id, JobState.CANCELLED)


async def test_a_cancelled_job_has_no_effect_and_stays_cancelled_whatever_its_handler_does(
    resources: Resources,
) -> None:
    began, effects = asyncio.Event(), []

    async def paint(ctx: JobContext, job: Paint) -> None:
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        async with ctx.completion():
            effects.append(job)

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await asyncio.wait_for(began.wait(), 10)
        await control.cancel(resources, job_id)
        assert (await control.find_job(resources, job_id)).state is JobState.CANCELLED
        await ends_as(resources, job_id, JobState.CANCELLED)

    assert effects == []


async def test_the_other_jobs_of_the_worker_go_on(resources: Resources) -> None:
    may_end, running = asyncio.Event(), asyncio.Semaphore(0)

    async def paint(_: JobContext, __: Paint) -> None:
        running.release()
        await may_end.wait()

    cancelled, other = [await enqueue(resources, Paint()) for _ in range(2)]
    async with working(resources, paint):
        for _ in range(2):
            await asyncio.wait_for(running.acquire(), 10)
        await control.cancel(resources, cancelled)
        await ends_as(resources, cancelled, JobState.CANCELLED)
        may_end.set()
        await ends_as(resources, other, JobState.SUCCEEDED)


async def test_a_job_that_has_ended_cannot_be_cancelled(resources: Resources) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    done, dead = await enqueue(resources, Paint()), await bury(resources, Paint())
    cancelled = await enqueue(resources, Paint())
    await control.cancel(resources, cancelled)
    async with working(resources, paint):
        await until(lambda: has_ended(resources, done))

    for job_id, reason in ((done, "succeeded"), (dead, "dead letter"), (cancelled, "before")):
        with pytest.raises(JobEnded, match=f"{job_id} .*{reason}"):
            await control.cancel(resources, job_id)
    assert await resources.queues[BASE].zcard("arq:abort") == 0


async def has_ended(resources: Resources, job_id: UUID) -> bool:
    return bool(await resources.queues[BASE].exists(f"arq:result:{job_id}"))


async def test_a_job_that_nobody_knows_cannot_be_cancelled(resources: Resources) -> None:
    with pytest.raises(JobNotFound):
        await control.cancel(resources, uuid4())
