import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest
from arq.jobs import Job as StockJob
from arq.jobs import SerializationError
from sqlalchemy import func, select

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control.cancellation import JobEnded
from app.core.control.lookup import JobNotFound
from app.core.job_store import outbox
from app.core.job_store.reconciliation import read_messages
from app.core.job_store.record import JobState
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.worker.outbox_relay import Relay
from app.workers.context import JobContext
from tests.core.control.jobs import (
    Paint,
    add_dead_letter,
    cancel,
    enqueue,
    enqueue_on_unknown_queue,
    job_of,
    working,
)
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


async def rows(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await uow.session.scalar(select(func.count()).select_from(outbox.outbox)) or 0


async def ends_as(resources: Resources, job_id: UUID, state: JobState) -> None:
    async def ended() -> bool:
        return not await resources.queues[BASE].exists(KEYS.in_progress(job_id))

    await wait_until(ended)
    assert (await job_of(resources, job_id)).state is state


async def test_a_canceled_waiting_job_is_removed_and_shown_as_canceled(
    resources: Resources,
) -> None:
    job_id = await enqueue(resources, Paint())

    assert await cancel(resources, job_id) is JobState.QUEUED

    job = await job_of(resources, job_id)
    assert (job.state, job.error, job.started_at) == (JobState.CANCELLED, None, None)
    assert (job.name, job.queue) == ("Paint", "base")
    assert await rows(resources) == 0
    redis = resources.queues[BASE]
    assert {key.decode() for key in cast("list[bytes]", await redis.keys("*"))} <= {
        KEYS.result(job_id),
        KEYS.wake,
    }
    assert 0 < await redis.ttl(KEYS.result(job_id)) <= resources.settings.job_result_ttl


async def test_a_scheduled_job_can_be_canceled(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(Paint(), delay=timedelta(hours=1), priority=5)

    assert await cancel(resources, job_id) is JobState.SCHEDULED
    assert not await resources.queues[BASE].exists(KEYS.queue, KEYS.later, KEYS.priority)


async def test_a_job_that_was_never_sent_can_be_canceled(resources: Resources) -> None:
    job_id = await enqueue(resources, Paint())
    await resources.queues[BASE].flushdb()

    await cancel(resources, job_id)

    assert (await job_of(resources, job_id)).state is JobState.CANCELLED


async def test_a_relay_that_has_read_the_row_cannot_bring_a_canceled_job_back(
    resources: Resources,
) -> None:
    job_id = await enqueue(resources, Paint())
    async with resources.database.engine.connect() as connection:
        [message] = await read_messages(connection, [job_id])

    await cancel(resources, job_id)
    await resources.queues.post([message])
    await Relay(BASE, resources).poll()

    assert await resources.queues[BASE].zcard(KEYS.queue) == 0


async def test_a_job_that_is_due_much_later_can_be_canceled(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(Paint(), delay=timedelta(days=30))

    assert await cancel(resources, job_id) is JobState.SCHEDULED

    assert (await job_of(resources, job_id)).state is JobState.CANCELLED
    assert await rows(resources) == 0


@pytest.mark.timing
async def test_a_running_job_stops_within_seconds_of_its_cancellation(
    resources: Resources,
) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await began.wait()
        await cancel(resources, job_id)
        await asyncio.wait_for(stopped.wait(), 3)


async def test_the_worker_stops_a_running_job(resources: Resources) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await began.wait()
        assert await cancel(resources, job_id) is JobState.RUNNING
        await stopped.wait()
        await ends_as(resources, job_id, JobState.CANCELLED)

    assert await rows(resources) == 0
    assert await resources.queues[BASE].zcard(KEYS.abort) == 0
    assert (await control.list_dead_letters(resources.sessions)).count == 0


async def test_a_running_job_without_a_row_can_be_canceled(resources: Resources) -> None:
    began = asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        began.set()
        await asyncio.Event().wait()

    job_id = await resources.queues.send(Paint())
    async with working(resources, paint):
        await began.wait()
        await cancel(resources, job_id)
        await ends_as(resources, job_id, JobState.CANCELLED)


async def test_a_canceled_job_has_no_effect_whatever_its_handler_does(
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
        await began.wait()
        await cancel(resources, job_id)
        assert (await job_of(resources, job_id)).state is JobState.CANCELLED
        await ends_as(resources, job_id, JobState.CANCELLED)

    assert effects == []


async def test_a_running_job_that_is_aborted_with_arq_starts_once_and_is_canceled(
    resources: Resources,
) -> None:
    began = asyncio.Semaphore(0)
    starts: list[UUID] = []

    async def paint(ctx: JobContext, _: Paint) -> None:
        starts.append(ctx.job_id)
        began.release()
        await asyncio.Event().wait()

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await began.acquire()
        for _ in range(3):
            await abort(resources, job_id)
        await wait_until(lambda: has_ended(resources, job_id))

    assert starts == [job_id]
    assert (await job_of(resources, job_id)).state is JobState.CANCELLED
    assert await rows(resources) == 0
    assert await resources.queues[BASE].hlen(KEYS.crashes) == 0


async def test_a_waiting_job_that_is_aborted_with_arq_never_starts(resources: Resources) -> None:
    starts: list[UUID] = []

    async def paint(ctx: JobContext, _: Paint) -> None:
        starts.append(ctx.job_id)

    async with resources.unit_of_work() as uow:
        later = uow.enqueue(Paint(), delay=timedelta(minutes=5))
    now = await enqueue(resources, Paint())
    for job_id in (now, later):
        await abort(resources, job_id)
    async with working(resources, paint):
        await wait_until(lambda: has_ended(resources, now))
        await wait_until(lambda: has_ended(resources, later))

    assert starts == []
    assert (await job_of(resources, later)).state is JobState.CANCELLED
    assert await rows(resources) == 0


async def test_a_job_that_ended_while_it_was_aborted_with_arq_leaves_no_dead_letter(
    resources: Resources,
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    job_id = await enqueue(resources, Paint())
    redis = resources.queues[BASE]

    async def is_forgotten() -> bool:
        return await redis.zcard(KEYS.queue) == 0

    async with working(resources, paint):
        await wait_until(lambda: has_ended(resources, job_id))
        await redis.zadd(KEYS.queue, {str(job_id): 1})  # the same as an abort of a running job
        await wait_until(is_forgotten)

    assert (await job_of(resources, job_id)).state is JobState.SUCCEEDED
    assert await rows(resources) == 0


async def abort(resources: Resources, job_id: UUID) -> None:
    """Abort a job with the function of arq's own client."""
    redis = resources.queues[BASE]
    job = StockJob(str(job_id), redis, _queue_name=KEYS.queue, _deserializer=redis.job_deserializer)
    # The exception depends on whether the job has already ended.
    with suppress(TimeoutError, asyncio.CancelledError, SerializationError):
        await job.abort(timeout=0)


async def test_the_other_jobs_of_the_worker_continue(resources: Resources) -> None:
    may_end, running = asyncio.Event(), asyncio.Semaphore(0)

    async def paint(_: JobContext, __: Paint) -> None:
        running.release()
        await may_end.wait()

    cancelled, other = [await enqueue(resources, Paint()) for _ in range(2)]
    async with working(resources, paint):
        for _ in range(2):
            await running.acquire()
        await cancel(resources, cancelled)
        await ends_as(resources, cancelled, JobState.CANCELLED)
        may_end.set()
        await ends_as(resources, other, JobState.SUCCEEDED)


async def test_a_job_that_has_ended_cannot_be_canceled(resources: Resources) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    done, dead = await enqueue(resources, Paint()), await add_dead_letter(resources, Paint())
    cancelled = await enqueue(resources, Paint())
    await cancel(resources, cancelled)
    async with working(resources, paint):
        await wait_until(lambda: has_ended(resources, done))

    for job_id, reason in (
        (done, "succeeded"),
        (dead, "dead letter"),
        (cancelled, "already canceled"),
    ):
        with pytest.raises(JobEnded, match=f"{job_id} .*{reason}"):
            await cancel(resources, job_id)
    assert await resources.queues[BASE].zcard(KEYS.abort) == 0


async def has_ended(resources: Resources, job_id: UUID) -> bool:
    return bool(await resources.queues[BASE].exists(KEYS.result(job_id)))


async def test_a_job_of_a_queue_that_is_not_in_the_code_can_be_shown_and_canceled(
    resources: Resources,
) -> None:
    job_id = await enqueue_on_unknown_queue(resources)

    assert (await job_of(resources, job_id)).queue == "retired"
    assert await cancel(resources, job_id) is JobState.QUEUED
    assert await rows(resources) == 0


async def test_an_unknown_job_cannot_be_canceled(resources: Resources) -> None:
    with pytest.raises(JobNotFound):
        await cancel(resources, uuid4())
