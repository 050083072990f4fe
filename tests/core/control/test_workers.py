import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from app import __version__
from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from tests.core.control.jobs import describing_itself

KEYS = QueueKeys(BASE)


async def test_a_worker_is_listed_with_its_host_and_its_jobs(resources: Resources) -> None:
    job_id = uuid4()

    async with describing_itself(resources, job_id):
        [worker] = await control.live_workers(resources.queues, BASE)
        assert await control.live_workers(resources.queues, EMAIL) == []

    assert (worker.id, worker.queue, worker.pid) == ("w", "base", os.getpid())
    assert (worker.version, worker.concurrency) == (__version__, 5)
    assert (worker.succeeded, worker.failed, worker.retried) == (7, 2, 1)
    assert worker.rss > 2**20
    [job] = worker.running
    assert (job.id, job.name) == (str(job_id), "Paint")
    assert timedelta() <= datetime.now(UTC) - job.started < timedelta(minutes=1)
    assert await control.live_workers(resources.queues, BASE) == []


async def test_a_worker_that_died_is_not_listed(resources: Resources) -> None:
    await resources.queues[BASE].zadd(KEYS.workers, {"dead": 1})

    assert await control.live_workers(resources.queues, BASE) == []
