"""Measure whether a long queue slows its worker down."""

import asyncio
import time
from functools import partial

from benchmarks.queue import ours
from benchmarks.queue.contenders import OURS
from benchmarks.queue.figures import Figure, times_at_most
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.pickup import WARM_UP, pickups, shares
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import stage
from benchmarks.queue.tasks import Task

WAITING = 1_000_000
SAMPLES = 1_000
JOBS = 5_000
FAR = 4_000_000_000_000
"""A day in 2096, in ms."""

NAPS = 20_000
"""Enough jobs to keep a worker busy during a measure."""

HOUR = 60


async def backlog(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure pickup and cost of a job with 1,000,000 waiting jobs, and with few or none."""
    waiting, samples, jobs = scale.of(WAITING), scale.of(SAMPLES), scale.of(JOBS)
    later = await interleaved(
        scale.rounds,
        {
            "ours": partial(pickup_beside_later, ground, waiting, samples),
            "empty": partial(pickup_beside_later, ground, 0, samples),
        },
    )
    ahead = await interleaved(
        scale.rounds,
        {
            "ours": partial(pickup_ahead, ground, waiting, samples // 10),
            f"{scale.of(NAPS):,}": partial(pickup_ahead, ground, scale.of(NAPS), samples // 10),
        },
    )
    cost = await interleaved(
        scale.rounds,
        {
            "ours": partial(cost_of_a_job, ground, jobs, waiting),
            "few": partial(cost_of_a_job, ground, jobs, jobs),
        },
    )
    few = f"{scale.of(NAPS):,}"
    p99_ahead = shares(ahead, 0.99)
    return [
        Figure(
            f"pickup, {waiting:,} for later, p50",
            "ms",
            shares(later, 0.5),
            times_at_most(2, "empty"),
        ),
        Figure(
            f"pickup, {waiting:,} for later, p99",
            "ms",
            shares(later, 0.99),
            times_at_most(2, "empty"),
        ),
        Figure(
            f"pickup ahead of {waiting:,} due, p50",
            "ms",
            shares(ahead, 0.5),
            times_at_most(2, few),
        ),
        Figure(f"pickup ahead of {waiting:,} due, p99", "ms", p99_ahead),
        Figure(f"INCR, {waiting:,} due", "µs/job", cost, times_at_most(2, "few")),
    ]


async def pickup_beside_later(ground: Ground, waiting: int, samples: int) -> list[float]:
    async with stage(ground, OURS) as its, OURS.sender(ground.settings) as send:
        if waiting:
            await its.fill(Task("report", {}), waiting, due_ms=FAR)
            await its.at_rest()
        await pickups(its, send, WARM_UP)
        return await pickups(its, send, samples)


async def pickup_ahead(ground: Ground, waiting: int, samples: int) -> list[float]:
    """Send jobs of a higher priority to a worker with no free slot."""
    nap = Task("nap", {"seconds": 0.05, "last": 0})
    async with (
        stage(ground, OURS) as its,
        ours.open_resources(ground.settings) as resources,
    ):
        await its.fill(nap, waiting)
        await its.report()
        await its.at_rest()
        times = []
        for _ in range(samples):
            await asyncio.sleep(0.01)
            sent = time.monotonic()
            await resources.queues.send(ours.Report(), priority=HOUR)
            times.append(1000 * ((await its.report()).moment - sent))
        return times


async def cost_of_a_job(ground: Ground, jobs: int, waiting: int) -> float:
    """Return the µs from one small job to the next while others wait."""
    task = Task("increment", {"first": 1, "last": jobs, "every": 0})
    async with stage(ground, OURS) as its:
        await its.fill(task, waiting)
        began, ended = await its.reports(2)
        return 1e6 * (ended.moment - began.moment) / (jobs - 1)
