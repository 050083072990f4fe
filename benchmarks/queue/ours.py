"""Our worker and our jobs: `python -m benchmarks.queue.ours SETTINGS QUEUE [OPTION ...]`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from app.core import resources
from app.core.config import Settings
from app.core.queue import BASE, EMAIL, Job, Queue, QueuePools
from app.core.redis import open_pool
from app.core.resources import Resources
from app.core.worker import run, worker_settings
from app.core.worker.execution.registry import Handlers
from app.workers.context import JobContext
from benchmarks.queue import tasks
from benchmarks.queue.ground import load

WIDE = Queue("wide", redis_db=3, concurrency=100)
"""The concurrency is that of the tuned arq."""


class Report(Job, queue=WIDE): ...


class ReportFromEmail(Job, queue=EMAIL): ...


class Increment(Job, queue=WIDE):
    first: int
    last: int
    every: int


class IncrementOnBase(Job, queue=BASE):
    first: int
    last: int
    every: int


class ComputeOnBase(Job, queue=BASE):
    first: int
    last: int
    every: int


class Nap(Job, queue=WIDE):
    seconds: float
    last: int


async def report(ctx: JobContext, job: Report) -> None:  # noqa: ARG001  a handler takes its job
    await tasks.report(ctx.resources.queues[WIDE])


async def report_from_email(ctx: JobContext, job: ReportFromEmail) -> None:  # noqa: ARG001
    await tasks.report(ctx.resources.queues[EMAIL])


async def increment(ctx: JobContext, job: Increment) -> None:
    await tasks.increment(ctx.resources.queues[WIDE], job.first, job.last, job.every)


async def increment_on_base(ctx: JobContext, job: IncrementOnBase) -> None:
    await tasks.increment(ctx.resources.queues[BASE], job.first, job.last, job.every)


async def compute_on_base(ctx: JobContext, job: ComputeOnBase) -> None:
    await tasks.compute(ctx.resources.queues[BASE], job.first, job.last, job.every)


async def nap(ctx: JobContext, job: Nap) -> None:
    await tasks.nap(ctx.resources.queues[WIDE], job.seconds, job.last)


HANDLERS: dict[Queue, Handlers] = {
    WIDE: [report, increment, nap],
    BASE: [increment_on_base, compute_on_base],
    EMAIL: [report_from_email],
}


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open the resources of the service, and the queue of the benchmark."""
    async with resources.open_resources(settings) as held:
        pools = {queue: held.queues[queue] for queue in held.queues}
        pools[WIDE] = open_pool(WIDE, settings)
        try:
            yield replace(held, queues=QueuePools(pools))
        finally:
            await pools[WIDE].aclose(close_connection_pool=True)


def main(path: str, name: str, *options: str) -> None:
    queue = next(queue for queue in HANDLERS if queue.name == name)

    @asynccontextmanager
    async def open_and_report(settings: Settings) -> AsyncIterator[Resources]:
        async with open_resources(settings) as held:
            await tasks.report(held.queues[queue])
            yield held

    run(
        worker_settings(
            queue,
            handlers=HANDLERS[queue],
            settings=load(Path(path)),
            open_resources=open_and_report,
        ),
        arguments=options,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
