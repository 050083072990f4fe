"""`python -m benchmarks.load` measures the API under overload and prints a table.

With `--against CHECKOUT` it measures an earlier release in turns with this one. Other work on the
machine changes all figures, so compare ratios.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop

from benchmarks import checkouts
from benchmarks.http.server import take_the_other_cores
from benchmarks.load.api import add_strangers, running_api
from benchmarks.load.phases import FIGURES, measure
from benchmarks.queue.figures import Figure, table
from benchmarks.queue.rounds import interleaved
from dev.postgres import postgres
from dev.valkey import valkey


async def compare(
    paths: Mapping[str, Path], server: str, redis_url: str, *, rounds: int, seconds: float
) -> list[Figure]:
    """Measure checkouts in turns."""
    turns = {}
    for label, path in paths.items():
        database = await checkouts.create_database(server, f"load_{label}")
        environment = checkouts.environment(path, database, redis_url)
        await checkouts.migrate(path, environment)
        await add_strangers(database)
        turns[label] = partial(one_round, path, environment, seconds)
    values = await interleaved(rounds, turns)
    return [
        Figure(
            name,
            unit,
            {label: [row[number] for row in rows] for label, rows in values.items()},
            target,
        )
        for number, (name, (unit, target)) in enumerate(FIGURES.items())
    ]


async def one_round(checkout: Path, environment: dict[str, str], seconds: float) -> list[float]:
    async with running_api(checkout, environment) as api:
        return await measure(api, seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--against", type=Path, help="a checkout of an earlier release")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--seconds", type=float, default=2, help="of each phase (2)")
    options = parser.parse_args(arguments)
    paths = checkouts.chosen(options.against)
    take_the_other_cores()
    with (
        tempfile.TemporaryDirectory(prefix="load-") as folder,
        postgres(Path(folder) / "postgres") as server,
        valkey(Path(folder) / "valkey") as redis_url,
    ):
        measuring = compare(
            paths, server, redis_url, rounds=options.rounds, seconds=options.seconds
        )
        figures = uvloop.run(measuring)
    print(table(figures))
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return int(any(figure.verdict == "NOT met" for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
