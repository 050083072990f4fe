"""Measure the time from the commit of a job's row to its handler."""

import asyncio
import random
import time

from sqlalchemy import event

from app.core.resources import Resources
from benchmarks.queue import ours
from benchmarks.queue.contenders import OURS
from benchmarks.queue.figures import Figure, at_most, quantile
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.pickup import PAUSE, WARM_UP
from benchmarks.queue.rounds import Scale
from benchmarks.queue.stage import Stage, stage

JOBS = 300
MANY = 3_000


async def outbox(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure the time to the first line of the handler, and the jobs per second."""
    rounds = [await one_round(ground, scale.of(JOBS)) for _ in range(scale.rounds)]
    after, in_all = zip(*rounds, strict=True)
    rates = [await throughput(ground, scale.of(MANY)) for _ in range(scale.rounds)]
    return [
        Figure("through the outbox, from the commit, p50", "ms", {"ours": after}, at_most(6)),
        Figure("through the outbox, INSERT and commit too, p50", "ms", {"ours": in_all}),
        Figure("INCR through the outbox, one worker", "jobs/s", {"ours": rates}),
    ]


async def throughput(ground: Ground, count: int) -> float:
    """Return the jobs per second through the outbox, from the first to the last."""
    async with (
        stage(ground, OURS) as its,
        ours.open_resources(ground.settings) as resources,
    ):
        for _ in range(WARM_UP):
            await one_job(its, resources)
        async with resources.unit_of_work() as uow:
            for _ in range(count):
                uow.enqueue(ours.Increment(first=1, last=count, every=0))
        began, ended = await its.reports(2)
        await its.empty()
        return (count - 1) / (ended.moment - began.moment)


async def one_round(ground: Ground, count: int) -> tuple[float, float]:
    async with (
        stage(ground, OURS) as its,
        ours.open_resources(ground.settings) as resources,
    ):
        for _ in range(WARM_UP):
            await one_job(its, resources)
        times = [await one_job(its, resources) for _ in range(count)]
    after, in_all = zip(*times, strict=True)
    return quantile(after, 0.5), quantile(in_all, 0.5)


async def one_job(its: Stage, resources: Resources) -> tuple[float, float]:
    """Return the ms from the commit, and from the end of the block, to the handler."""
    await asyncio.sleep(random.uniform(*PAUSE))  # noqa: S311  no secret
    committed: list[float] = []
    async with resources.unit_of_work() as uow:
        event.listen(
            uow.session.sync_session, "after_commit", lambda _: committed.append(time.monotonic())
        )
        uow.enqueue(ours.Report())
        left = time.monotonic()
    started = (await its.report()).moment
    return 1000 * (started - committed[0]), 1000 * (started - left)
