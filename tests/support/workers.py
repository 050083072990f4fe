"""Workers inside the test's process."""

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from app.core.broker.keys import QueueKeys
from app.core.queue import Queue, QueuePools
from app.core.resources import Resources
from app.core.worker.engine.worker import Worker
from app.core.worker.execution.observers import Observer
from app.core.worker.settings import WorkerSettings, worker_settings
from tests.support.service import already_open

RunWorker = Callable[..., Awaitable[None]]


async def run_burst(
    original: WorkerSettings, resources: Resources, jobs: int | None, observers: Sequence[Observer]
) -> None:
    """Run a worker with these resources until its queue is empty, for at most `jobs` jobs."""
    tested = worker_settings(
        original.queue,
        handlers=original.handlers,
        crons=original.crons,
        settings=resources.settings,
        open_resources=already_open(resources),
    )
    for observer in observers:
        tested.observers.append(observer)
    await Worker(tested, burst=True, max_burst_jobs=jobs).run()


async def make_due(queues: QueuePools, queue: Queue) -> None:
    """Make all waiting jobs of a queue due now."""
    key = QueueKeys(queue).queue
    for job_id in cast("list[bytes]", await queues[queue].zrange(key, 0, -1)):
        await queues[queue].zadd(key, {job_id: 1})
