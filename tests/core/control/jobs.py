"""Jobs for these tests, and workers that run them in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from arq.utils import timestamp_ms
from sqlalchemy import text, update

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control import QueueOverview
from app.core.job_store import outbox
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import BASE, EMAIL, Job, Queue, to_message
from app.core.redis import open_client
from app.core.resources import Resources
from app.core.worker.claims import Claim
from app.core.worker.engine.heartbeat import Heartbeat, sending
from app.core.worker.engine.worker import Worker
from app.core.worker.engine.worker_info import Capabilities, Counters, worker_info
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.support.service import already_open

KEYS = QueueKeys(BASE)

MANY_DEAD_LETTERS = text("""\
INSERT INTO outbox (id, queue, name, payload, failed_at)
SELECT gen_random_uuid(), 'base', 'Paint', '{}', now() FROM generate_series(1, :rows)""")


class Paint(Job, queue=BASE, max_tries=3, final=(ZeroDivisionError,)):
    color: str = "red"


class Write(Job, queue=EMAIL):
    pass


Painter = Callable[[JobContext, Paint], Awaitable[object]]


@asynccontextmanager
async def working(resources: Resources, painter: Painter) -> AsyncIterator[None]:
    """Run a worker of the queue `base`."""

    async def paint(ctx: JobContext, job: Paint) -> object:
        return await painter(ctx, job)

    settings = worker_settings(
        BASE, handlers=[paint], settings=resources.settings, open_resources=already_open(resources)
    )
    task = asyncio.create_task(Worker(settings).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def describing_itself(resources: Resources, job_id: UUID) -> AsyncIterator[None]:
    """Send the heartbeats of a worker that runs a job."""
    payload, counters = to_message(Paint()).encode(), Counters(succeeded=7, failed=2, retried=1)
    claim = Claim(str(job_id), "w/1", payload, 1, 0, claimed_ms=timestamp_ms())
    with open_client(BASE, resources.settings) as client:
        heartbeat = Heartbeat(
            client,
            keys=KEYS,
            worker_id="w",
            claims=lambda: [claim],
            worker_info=lambda: worker_info([claim], counters, Capabilities(), concurrency=5),
            on_lost=list.clear,
            is_stuck=lambda: False,
        )
        async with sending(heartbeat):
            yield


async def enqueue(resources: Resources, job: Job, *, key: str | None = None) -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(job, key=key)


async def enqueue_on_unknown_queue(resources: Resources) -> UUID:
    """Store a job of a queue that an earlier release had."""
    message = replace(to_message(Paint(), durable=True), queue="retired")
    async with resources.sessions.begin() as session:
        await outbox.store(session, [message])
    return message.id


async def cancel(resources: Resources, job_id: UUID) -> JobState:
    """Cancel a job, and return the state that it had."""
    return (await control.cancel(resources.sessions, resources.queues, job_id)).state


async def overview_of(resources: Resources, queue: Queue) -> QueueOverview:
    return await control.queue_overview(resources.reader, resources.queues, queue.name)


async def job_of(resources: Resources, job_id: UUID) -> JobRecord:
    async with resources.sessions() as session:
        return await control.find_job(session, resources.queues, job_id)


async def add_dead_letter(
    resources: Resources, job: Job, *, key: str | None = None, error: str = "no paint"
) -> UUID:
    """Turn a job into a dead letter, as a worker does."""
    envelope = to_message(job, durable=True)
    async with resources.database.sessions.begin() as session:
        await outbox.store(session, [envelope])
        await session.execute(
            update(outbox.outbox).where(outbox.outbox.c.id == envelope.id).values(key=key)
        )
        await outbox.dead_letter(
            session, envelope, attempts=3, crashes=1, error=error, traceback="Traceback: …"
        )
    return envelope.id
