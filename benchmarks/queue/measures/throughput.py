"""Measure how many small jobs per second are done while many wait."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.queue.contenders import DEFAULT, OURS, TUNED, TUNED_UVLOOP, Contender
from benchmarks.queue.figures import Figure, times_at_least
from benchmarks.queue.ground import Ground
from benchmarks.queue.rounds import Scale, interleaved
from benchmarks.queue.stage import Stage, stage
from benchmarks.queue.tasks import COUNTER, Task

JOBS: dict[Contender, int] = {OURS: 20_000, DEFAULT: 1_000, TUNED: 5_000, TUNED_UVLOOP: 5_000}
WARM_UP = 100


@dataclass(frozen=True)
class Pace:
    """Jobs per second, and the µs of processor time per job in its worker."""

    rate: float
    cpu: float


async def throughput(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure jobs that do one INCR, with one worker and with four."""
    one = await interleaved(scale.rounds, turns(ground, scale, 1))
    four = await interleaved(scale.rounds, turns(ground, scale, 4))
    rates = {name: [pace.rate for pace in paces] for name, paces in one.items()}
    cpu = {name: [pace.cpu for pace in paces] for name, paces in one.items()}
    rates_of_four = {name: [pace.rate for pace in paces] for name, paces in four.items()}
    with_one = {"ours": rates_of_four["ours"], "one worker": rates["ours"]}
    return [
        Figure("INCR, one worker", "jobs/s", rates, times_at_least(2.5, "tuned")),
        Figure("INCR, one worker: processor time", "µs/job", cpu),
        Figure("INCR, four workers", "jobs/s", rates_of_four, times_at_least(2.5, "tuned")),
        Figure(
            "INCR, four workers against one", "jobs/s", with_one, times_at_least(1, "one worker")
        ),
    ]


def turns(ground: Ground, scale: Scale, workers: int) -> dict[str, Callable[[], Awaitable[Pace]]]:
    return {
        contender.name: partial(drain, ground, contender, scale.of(jobs), workers)
        for contender, jobs in JOBS.items()
    }


async def drain(
    ground: Ground, contender: Contender, jobs: int, workers: int = 1, *, name: str = "increment"
) -> Pace:
    async with stage(ground, contender, workers) as its:
        await increments(its, WARM_UP, name)
        await its.empty()
        pace = await increments(its, jobs, name)
        await its.empty()
        return pace


async def increments(its: Stage, jobs: int, name: str = "increment") -> Pace:
    done = int(await its.redis.get(COUNTER) or 0)
    first, last = done + 1, done + jobs
    await its.fill(Task(name, {"first": first, "last": last, "every": 0}), jobs)
    began, ended = await its.reports(2)
    return Pace(
        rate=(jobs - 1) / (ended.moment - began.moment),
        cpu=1e6 * (ended.cpu - began.cpu) / (jobs - 1),
    )
