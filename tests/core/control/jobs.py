"""Jobs to be steered, and workers that run them in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from arq.utils import timestamp_ms

from app.core import outbox
from app.core.queue import BASE, EMAIL, Job, address
from app.core.redis import open_client, to_json
from app.core.resources import Resources
from app.core.worker.claims import Claim
from app.core.worker.description import describe_worker
from app.core.worker.heartbeat import Heart, beating
from app.core.worker.runner import create_worker
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.conftest import given


class Paint(Job, queue=BASE, max_tries=3, final=(ZeroDivisionError,)):
    colour: str = "red"


class Write(Job, queue=EMAIL):
    pass


Painter = Callable[[JobContext, Paint], Awaitable[object]]


@asynccontextmanager
async def working(resources: Resources, painter: Painter) -> AsyncIterator[None]:
    """Run a worker of the queue `base`."""

    async def paint(ctx: JobContext, job: Paint) -> object:
        return await painter(ctx, job)

    settings = worker_settings(
        BASE, handlers=[paint], settings=resources.settings, open_resources=given(resources)
    )
    worker = create_worker(settings, handle_signals=False)
    task = asyncio.create_task(worker.async_run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await worker.close()


@asynccontextmanager
async def describing_itself(resources: Resources, job_id: UUID) -> AsyncIterator[None]:
    """Let the heart of a worker beat that runs a job."""
    payload = to_json({"f": "Paint", "a": []})
    claim = Claim(str(job_id), "w/1", payload, 1, 0, claimed_ms=timestamp_ms())
    with open_client(BASE, resources.settings) as client:
        heart = Heart(
            client,
            queue=BASE.key,
            worker_id="w",
            held=lambda: [claim],
            describe=lambda: describe_worker(
                [claim], concurrency=5, succeeded=7, failed=2, retried=1
            ),
            on_lost=list.clear,
        )
        async with beating(heart):
            yield


async def enqueue(resources: Resources, job: Job, *, key: str | None = None) -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(job, key=key)


async def bury(
    resources: Resources, job: Job, *, key: str | None = None, error: str = "no paint"
) -> UUID:
    """Have a job failed for good, as a worker does."""
    envelope = address(job, kept=True)
    async with resources.database.sessions.begin() as session:
        await outbox.keep(session, [(envelope, key)])
        await outbox.bury(
            session, envelope, attempts=3, crashes=1, error=error, traceback="Traceback: …"
        )
    return envelope.id
