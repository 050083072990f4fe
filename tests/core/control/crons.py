"""A worker that has a cron."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core import control
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.worker.cron.schedule import cron
from app.core.worker.engine.worker import Worker
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.core.control.jobs import Paint
from tests.support.service import already_open
from tests.support.waiting import wait_until

NIGHTLY = cron(Paint(color="night"), name="nightly", hour=3, timezone="Europe/Berlin")


async def paint(_: JobContext, job: Paint) -> str:
    return job.color


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[None]:
    """Run a worker that has a cron, and enter the block once it has shown itself."""

    async def is_alive() -> bool:
        return bool(await control.live_workers(resources.queues, BASE))

    settings = worker_settings(
        BASE,
        handlers=[paint],
        crons=[NIGHTLY],
        settings=resources.settings,
        open_resources=already_open(resources),
    )
    task = asyncio.create_task(Worker(settings).run())
    try:
        await wait_until(is_alive)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
