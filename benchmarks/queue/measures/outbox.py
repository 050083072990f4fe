"""Measure the time from the commit of a job's row to its handler."""

import asyncio
import random
import time
from functools import partial

from sqlalchemy import event, text

from app.core.database import open_database
from app.core.resources import Resources
from benchmarks.queue import ours
from benchmarks.queue.contenders import OURS, OURS_DURABLE
from benchmarks.queue.figures import Figure, at_most, quantile, times_at_least
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.pickup import PAUSE, WARM_UP
from benchmarks.queue.measures.throughput import WARM_UP as WARM_UP_JOBS
from benchmarks.queue.measures.throughput import Pace, drain, increments
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import Stage, stage

JOBS = 300
MANY = 20_000

ROWS = text("""
    INSERT INTO outbox (id, queue, name, payload, check_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
           :queue, :name, '{}', clock_timestamp() + interval '1 hour'
    FROM generate_series(0, :count - 1) AS number
""")
"""The ids are those of `Stage.fill`, which sends the jobs. No outbox relay does so before."""


async def outbox(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure the time to the first line of the handler, and the jobs per second."""
    rounds = [await one_round(ground, scale.of(JOBS)) for _ in range(scale.rounds)]
    after, in_all = zip(*rounds, strict=True)
    paces = await interleaved(
        scale.rounds,
        {
            "ours": partial(drain_rows, ground, scale.of(MANY)),
            "sent": partial(drain, ground, OURS, scale.of(MANY), 1),
        },
    )
    rates = {name: [pace.rate for pace in its] for name, its in paces.items()}
    cpu = {name: [pace.cpu for pace in its] for name, its in paces.items()}
    name = "INCR through the outbox, one worker"
    return [
        Figure("through the outbox, from the commit, p50", "ms", {"ours": after}, at_most(6)),
        Figure("through the outbox, INSERT and commit too, p50", "ms", {"ours": in_all}),
        Figure(name, "jobs/s", rates, times_at_least(0.8, "sent")),
        Figure(f"{name}: processor time", "µs/job", cpu),
    ]


async def drain_rows(ground: Ground, jobs: int) -> Pace:
    """Measure jobs that have rows, which wait in Redis like those of `drain`."""
    async with stage(ground, OURS_DURABLE) as its, open_database(ground.settings) as database:
        async with database.engine.begin() as connection:
            row = {"queue": ours.WIDE.name, "name": ours.Increment.__name__}
            await connection.execute(ROWS, row | {"count": WARM_UP_JOBS + jobs})
        await increments(its, WARM_UP_JOBS)
        await its.empty()
        pace = await increments(its, jobs)
        await its.empty()
        return pace


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
