"""A worker with a job that calls `sys.exit`, like a command-line library."""

import asyncio
import sys

from app.core.queue import BASE, Job
from app.core.worker import run, worker_settings
from app.workers.context import JobContext


class Exit(Job, queue=BASE, max_tries=1):
    in_a_task: bool


class Stay(Job, queue=BASE, max_tries=1): ...


async def leave() -> None:
    sys.exit(3)


async def exit_process(ctx: JobContext, job: Exit) -> None:  # noqa: ARG001
    if job.in_a_task:
        await asyncio.create_task(leave())
    await leave()


async def stay(ctx: JobContext, job: Stay) -> None: ...


if __name__ == "__main__":
    run(worker_settings(BASE, handlers=[exit_process, stay]))
