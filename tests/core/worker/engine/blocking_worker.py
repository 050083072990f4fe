"""A worker whose handler runs in a thread that does not stop."""

import asyncio
import time

import structlog

from app.core.queue import BASE, Job
from app.core.worker import run, worker_settings
from app.workers.context import JobContext

log = structlog.stdlib.get_logger(__name__)

SECONDS = 60


class Compress(Job, queue=BASE):
    pass


async def compress(ctx: JobContext, job: Compress) -> None:  # noqa: ARG001  a handler takes its job
    log.info("compressing")
    await asyncio.to_thread(time.sleep, SECONDS)


if __name__ == "__main__":
    run(worker_settings(BASE, handlers=[compress]))
