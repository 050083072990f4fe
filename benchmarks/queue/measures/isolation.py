"""Measure whether the load of one queue affects another."""

from functools import partial

from benchmarks.queue.contenders import OURS_BASE, OURS_EMAIL
from benchmarks.queue.figures import Figure, times_at_most
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.pickup import WARM_UP, by_idle_worker, pickups, shares
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import stage
from benchmarks.queue.tasks import Task

JOBS = 100_000
SAMPLES = 300
IDLE = "base idle"


async def isolation(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure the pickup on `email` while 100,000 jobs wait and run on `base`."""
    samples = scale.of(SAMPLES)
    turns = {
        "ours": partial(beside_work, ground, samples, scale.of(JOBS)),
        IDLE: partial(by_idle_worker, ground, OURS_EMAIL, samples),
    }
    rounds = await interleaved(scale.rounds, turns)
    p50, p99 = shares(rounds, 0.5), shares(rounds, 0.99)
    return [
        Figure("pickup on email while base works, p50", "ms", p50),
        Figure("pickup on email while base works, p99", "ms", p99, times_at_most(1.5, IDLE)),
    ]


async def beside_work(ground: Ground, samples: int, jobs: int) -> list[float]:
    silent = Task("increment", {"first": 0, "last": 0, "every": 0})
    async with (
        stage(ground, OURS_BASE) as base,
        stage(ground, OURS_EMAIL) as email,
        OURS_EMAIL.sender(ground.settings) as send,
    ):
        await base.fill(silent, jobs)
        await pickups(email, send, WARM_UP)
        times = await pickups(email, send, samples)
        if jobs >= JOBS and not await base.redis.zcard(OURS_BASE.key):
            raise RuntimeError("the work on base was over before the pickups were measured")
        return times
