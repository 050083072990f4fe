"""Measure how well waiting jobs overlap, because most jobs wait for something."""

from functools import partial

from benchmarks.queue.contenders import OURS, TUNED, TUNED_UVLOOP, Contender
from benchmarks.queue.figures import Figure, at_least
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.throughput import WARM_UP, increments
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import stage
from benchmarks.queue.tasks import Task

NAP = 0.05


async def naps(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure 5,000 jobs of 50 ms in one worker, 100 at once. 2,000 per second would be ideal."""
    turns = {
        contender.name: partial(drain, ground, contender, scale.of(5_000))
        for contender in (OURS, TUNED, TUNED_UVLOOP)
    }
    rates = await interleaved(scale.rounds, turns)
    return [Figure("50 ms naps, 100 at once", "jobs/s", rates, at_least(1800))]


async def drain(ground: Ground, contender: Contender, jobs: int) -> float:
    async with stage(ground, contender) as its:
        await increments(its, WARM_UP)
        await its.empty()
        await its.fill(Task("nap", {"seconds": NAP, "last": jobs}), jobs)
        began, ended = await its.reports(2)
        await its.empty()
        return jobs / (ended.moment - began.moment)
