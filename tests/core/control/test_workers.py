import asyncio
import os
from datetime import UTC, datetime, timedelta

from app import __version__
from app.core import control
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.conftest import until
from tests.core.control.jobs import Paint, enqueue, working


async def test_a_worker_tells_where_it_is_and_what_it_runs(resources: Resources) -> None:
    began = asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        began.set()
        await asyncio.Event().wait()

    job_id = await enqueue(resources, Paint())
    async with working(resources, paint):
        await asyncio.wait_for(began.wait(), 10)
        await until(lambda: runs_something(resources))
        [worker] = await control.live_workers(resources, BASE)
        assert await control.live_workers(resources, EMAIL) == []

    assert (worker.queue, worker.pid, worker.version) == ("base", os.getpid(), __version__)
    assert (worker.concurrency, worker.succeeded, worker.failed) == (BASE.concurrency, 0, 0)
    assert worker.rss > 2**20
    [job] = worker.running
    assert (job.id, job.name) == (str(job_id), "Paint")
    assert timedelta() <= datetime.now(UTC) - job.started < timedelta(minutes=1)
    assert await control.live_workers(resources, BASE) == []


async def runs_something(resources: Resources) -> bool:
    """Wait for the next heartbeat, which tells of the job."""
    workers = await control.live_workers(resources, BASE)
    return any(worker.running for worker in workers)


async def test_a_worker_that_died_is_not_listed(resources: Resources) -> None:
    await resources.queues[BASE].zadd(f"{BASE.key}:workers", {"dead": 1})

    assert await control.live_workers(resources, BASE) == []
