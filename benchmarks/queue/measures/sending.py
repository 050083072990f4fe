"""How fast a transaction with many jobs is written and sent."""

import time

from sqlalchemy import delete

from app.core.outbox import outbox
from app.core.resources import Resources
from benchmarks.queue import ours
from benchmarks.queue.figures import Figure, at_least
from benchmarks.queue.ground import Ground
from benchmarks.queue.rounds import Scale

JOBS = 1_000


async def sending(ground: Ground, scale: Scale) -> list[Figure]:
    """Rows of the outbox and the send to Redis, from BEGIN to the last job on its queue."""
    async with ours.open_resources(ground.settings) as resources:
        await send(resources, 10)
        rates = [await send(resources, JOBS) for _ in range(3 * scale.rounds)]
    return [Figure("1,000 jobs sent in one transaction", "jobs/s", {"ours": rates}, at_least(5000))]


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
        await uow.session.execute(delete(outbox))  # a worker of a later measure would send them
    if (sent := await redis.zcard(ours.WIDE.key)) != count:
        raise RuntimeError(f"{sent} of {count} jobs have reached the queue")
    return count / (ended - began)
