"""A worker whose job lasts until a file exists."""

import asyncio

import structlog

from app.core.queue import BASE, Job
from app.core.worker import run, worker_settings
from app.workers.context import JobContext

log = structlog.stdlib.get_logger(__name__)

WOOL = "wool"


class Knit(Job, queue=BASE):
    pass


async def knit(ctx: JobContext, job: Knit) -> None:  # noqa: ARG001  a handler takes its job
    log.info("knitting")
    while not await ctx.resources.queues[BASE].exists(WOOL):
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    run(worker_settings(BASE, handlers=[knit]))
