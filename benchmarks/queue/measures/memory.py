"""Measure whether the memory of a worker grows."""

from benchmarks.queue.contenders import OURS
from benchmarks.queue.figures import Figure, at_most
from benchmarks.queue.ground import Ground
from benchmarks.queue.rounds import Scale
from benchmarks.queue.stage import stage
from benchmarks.queue.tasks import Task

JOBS = 100_000
STEPS = 20
MIB = 2**20


async def memory(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure the memory of a worker over 100,000 jobs. The growth is that of the last 80,000."""
    jobs = scale.of(JOBS, least=2 * STEPS)
    every = jobs // STEPS
    async with stage(ground, OURS) as its:
        await its.fill(Task("increment", {"first": 1, "last": jobs, "every": every}), jobs)
        await its.report()
        sizes = [report.rss / MIB for report in await its.reports(STEPS)]
    early, late = max(sizes[: STEPS // 5]), max(sizes[-STEPS // 5 :])
    return [
        Figure(
            f"memory of a worker after {jobs:,} jobs", "MiB", {"ours": [sizes[-1]]}, at_most(120)
        ),
        Figure(
            f"memory that the last {jobs - jobs // 5:,} of them added",
            "MiB",
            {"ours": [late - early]},
            at_most(3),
        ),
    ]
