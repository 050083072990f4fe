"""Measure how much more several processes of one supervisor do."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from benchmarks.queue.contenders import OURS, OURS_BASE, Ours
from benchmarks.queue.figures import Figure, times_at_least
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.throughput import drain
from benchmarks.queue.rounds import Scale, interleaved

SEVERAL = (2, 4)

SHARE = 0.85
"""The part of a processor that a process must gain. Redis and the system need the rest."""


async def processes(ground: Ground, scale: Scale) -> list[Figure]:
    """Measure jobs that use the processor for 2 ms, and jobs that do one INCR."""
    computed = await rates(ground, scale, OURS_BASE, 2_000, "compute")
    counted = await rates(ground, scale, OURS, 20_000, "increment")
    return [*figures("2 ms of Python", computed, SHARE), *figures("INCR", counted)]


async def rates(
    ground: Ground, scale: Scale, contender: Ours, jobs: int, name: str
) -> dict[int, Sequence[float]]:
    """Return the jobs per second of each number of processes."""
    turns = {
        str(number): partial(
            drain, ground, replace(contender, processes=number), scale.of(jobs), name=name
        )
        for number in (1, *SEVERAL)
    }
    paces = await interleaved(scale.rounds, turns)
    return {int(number): [pace.rate for pace in its] for number, its in paces.items()}


def figures(
    name: str, rates: dict[int, Sequence[float]], share: float | None = None
) -> Iterator[Figure]:
    """Yield a figure per number of processes. Only as many as the processors have a target."""
    for number in SEVERAL:
        values = {"ours": rates[number], "one process": rates[1]}
        target = None
        if share is not None and number <= (os.cpu_count() or 1):
            target = times_at_least(share * number, "one process")
        yield Figure(f"{name}, {number} processes of one supervisor", "jobs/s", values, target)
