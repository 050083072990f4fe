"""Measure how fast many jobs are sent."""

import time

from sqlalchemy import delete

from app.core.job_store.outbox import outbox
from app.core.resources import Resources
from benchmarks.queue import ours
from benchmarks.queue.figures import Figure, at_least
from benchmarks.queue.ground import Ground
from benchmarks.queue.rounds import Scale

JOBS = 1_000
MANY = 10_000


async def sending(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure a transaction with 1,000 jobs, and 10,000 jobs that have no rows."""
    async with ours.open_resources(ground.settings) as resources:
        await send(resources, 10)
        rates = [await send(resources, JOBS) for _ in range(3 * scale.rounds)]
        without_rows = [await send_many(resources, MANY) for _ in range(3 * scale.rounds)]
    return [
        Figure("1,000 jobs sent in one transaction", "jobs/s", {"ours": rates}, at_least(5000)),
        Figure("10,000 jobs sent without rows", "jobs/s", {"ours": without_rows}, at_least(25_000)),
    ]


async def send_many(resources: Resources, count: int) -> float:
    await resources.queues[ours.WIDE].flushdb()
    job = ours.Increment(first=1, last=1, every=0)
    began = time.monotonic()
    await resources.queues.send_many(job for _ in range(count))
    return count / (time.monotonic() - began)


async def send(resources: Resources, count: int) -> float:
    redis = resources.queues[ours.WIDE]
    await redis.flushdb()
    job = ours.Increment(first=1, last=1, every=0)
    began = time.monotonic()
    async with resources.unit_of_work() as uow:
        for _ in range(count):
            uow.enqueue(job)
    ended = time.monotonic()
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            delete(outbox)
        )  # otherwise, a worker of a later measure would send them
    if (sent := await redis.zcard(redis.queue_keys.queue)) != count:
        raise RuntimeError(f"{sent} of {count} jobs have reached the queue")
    return count / (ended - began)
