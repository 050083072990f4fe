"""`python -m benchmarks.waiting` measures the cost of waiting jobs and prints a table.

With `--against CHECKOUT` it also measures an earlier release. By default, that gets fewer jobs,
because it may need hours for a million. The run takes 20 minutes, or half an hour with `--against`.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import checkouts
from benchmarks.queue.figures import Figure, table
from benchmarks.waiting.figures import FIGURES
from benchmarks.waiting.measures import MEASURES, Lines
from benchmarks.waiting.stage import stage


async def measure(
    names: Sequence[str], paths: Mapping[str, Path], jobs: Mapping[str, int]
) -> list[Figure]:
    """Measure checkouts in turns, each with its own number of jobs."""
    figures: list[Figure] = []
    for name in names:
        began = time.monotonic()
        found = {label: await one(name, path, jobs[label]) for label, path in paths.items()}
        figures += [
            Figure(line, unit, {label: [lines[line]] for label, lines in found.items()}, target)
            for line in found["ours"]
            for unit, target in [FIGURES[line]]
        ]
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


async def one(name: str, checkout: Path, jobs: int) -> Lines:
    async with stage(checkout) as on:
        return await MEASURES[name](on, jobs)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("measures", nargs="*", choices=[*MEASURES, []], help="all by default")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="waiting jobs (1,000,000)")
    parser.add_argument("--against", type=Path, help="a checkout of an earlier release")
    parser.add_argument("--against-jobs", type=int, default=50_000, help="there (50,000)")
    options = parser.parse_args(arguments)
    jobs = {"ours": options.jobs, "earlier": options.against_jobs}
    paths = checkouts.chosen(options.against)
    load = os.getloadavg()[0]
    figures = asyncio.run(measure(options.measures or [*MEASURES], paths, jobs))
    print(table(figures))
    print("\n" + "; ".join(f"{label}: {jobs[label]:,} jobs wait" for label in paths))
    print(f"{os.cpu_count()} cores; load {load:.1f} before and {os.getloadavg()[0]:.1f} after")
    return int(any(figure.verdict == "NOT met" for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
