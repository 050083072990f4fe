"""A worker or a sender that runs inside a checkout, this one or an earlier one.

It is started as a script with the checkout on PYTHONPATH, so it uses only names that all compared
releases have.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from app.core.config import load_settings
from app.core.queue import BASE, Job
from app.core.resources import Resources, open_resources
from app.core.unit_of_work import UnitOfWork
from app.core.worker import run, worker_settings
from app.workers.context import JobContext

STARTED = "benchmark:started"
"""A list of pairs: the time when a job was due, and the time when it started."""

MAX_PAUSE = 0.03
PROBE_PAUSE = 0.005
FIRST_DUE = timedelta(seconds=15)
PER_TRANSACTION = 500
AT_A_TIME = 50
"""Jobs that the sender enqueues before it lets other tasks run, without `enqueue_many`."""


class Note(Job, queue=BASE):
    due: float = 0


async def note(ctx: JobContext, job: Note) -> None:
    async with ctx.resources.queues[BASE].pipeline(transaction=False) as pipe:
        pipe.rpush(STARTED, f"{job.due} {time.time()}")
        await pipe.execute()


async def one_by_one(resources: Resources, count: str) -> None:
    """Enqueue jobs with random pauses."""
    for _ in range(int(count)):
        await asyncio.sleep(random.uniform(0, MAX_PAUSE))  # noqa: S311  no secret
        async with resources.unit_of_work() as uow:
            uow.enqueue(Note(due=time.time()))


async def steadily(resources: Resources, rate: str, seconds: str) -> None:
    """Enqueue jobs at a rate, each in its own transaction."""
    began = time.monotonic()

    async def one() -> None:
        async with resources.unit_of_work() as uow:
            uow.enqueue(Note(due=time.time()))

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate) * int(seconds)):
            group.create_task(one())
            await asyncio.sleep(max(0, began + number / int(rate) - time.monotonic()))


async def scheduled(resources: Resources, count: str, seconds: str) -> None:
    """Schedule jobs that become due one after another."""
    first = datetime.now(UTC) + FIRST_DUE
    step = timedelta(seconds=int(seconds)) / int(count)
    times = [first + step * number for number in range(int(count))]
    for start in range(0, len(times), PER_TRANSACTION):
        async with resources.unit_of_work() as uow:
            for due in times[start : start + PER_TRANSACTION]:
                uow.enqueue(Note(due=due.timestamp()), at=due)


async def at_once(resources: Resources, count: str, probed_before: str) -> None:
    """Enqueue jobs in one transaction, and print the delays of another request meanwhile."""
    delays: list[float] = []

    async def probe() -> None:
        while True:
            began = time.monotonic()
            async with resources.unit_of_work() as uow:
                await uow.session.execute(text("SELECT 1"))
            delays.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_PAUSE)

    probing = asyncio.create_task(probe())
    await asyncio.sleep(float(probed_before))
    before = p99(await some(delays))
    delays.clear()
    began = time.monotonic()
    async with resources.unit_of_work() as uow:
        await enqueue_all(uow, (Note() for _ in range(int(count))))
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "before": before, "during": p99(await some(delays))}))
    probing.cancel()


async def enqueue_all(uow: UnitOfWork, jobs: Iterable[Job]) -> None:
    """Enqueue jobs as the checkout recommends."""
    if hasattr(uow, "enqueue_many"):
        await uow.enqueue_many(jobs)
        return
    for number, job in enumerate(jobs):
        uow.enqueue(job)
        if number % AT_A_TIME == 0:
            await asyncio.sleep(0)


async def some(delays: list[float]) -> list[float]:
    """Wait for the first delay, and return all delays."""
    while not delays:
        await asyncio.sleep(PROBE_PAUSE)
    return delays


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


SENDERS: dict[str, Callable[..., Awaitable[None]]] = {
    "one_by_one": one_by_one,
    "steadily": steadily,
    "scheduled": scheduled,
    "at_once": at_once,
}


async def send(name: str, *arguments: str) -> None:
    async with open_resources(load_settings()) as resources:
        await SENDERS[name](resources, *arguments)


def main(command: str, *arguments: str) -> None:
    if command == "work":
        del sys.argv[1:]  # a worker reads its own command line
        run(worker_settings(BASE, handlers=[note]))
    else:
        asyncio.run(send(command, *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
