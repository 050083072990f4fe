"""`python -m benchmarks.queue` measures and prints one table."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.core.gc import tune_garbage_collection
from app.core.logging import configure_logging
from benchmarks.queue.figures import Figure, table
from benchmarks.queue.ground import Ground, own_servers
from benchmarks.queue.measures import MEASURES
from benchmarks.queue.rounds import Scale

QUICK = Scale(rounds=1, share=0.02)


async def measure(
    ground: Ground, names: Sequence[str], scale: Scale, figures: list[Figure]
) -> None:
    """Run the measures one after another, and add their figures."""
    for name in names:
        began = time.monotonic()
        figures += await MEASURES[name](ground, scale)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, which is 1 if a target is missed."""
    options = parser().parse_args(arguments)
    scale = QUICK if options.quick else Scale(rounds=options.rounds, share=options.share)
    figures: list[Figure] = []
    load = os.getloadavg()[0]
    with own_servers(options.profile) as ground:
        configure_logging(ground.settings)
        tune_garbage_collection()  # the API, which sends jobs, also runs on uvloop
        names = options.measures or [*MEASURES]
        with suppress(KeyboardInterrupt):  # what has been measured by then is shown
            asyncio.run(measure(ground, names, scale, figures))
    print(table(figures))
    cores, after = os.cpu_count(), os.getloadavg()[0]
    print(
        f"\n{cores} cores; load {load:.1f} before and {after:.1f} at the end; "
        f"{scale.rounds} rounds of {scale.share:.0%} of the work"
    )
    return 1 if any(figure.verdict == "NOT met" for figure in figures) else 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue", description=__doc__)
    parser.add_argument(
        "measures", nargs="*", choices=[*MEASURES, []], help="which to take; all of them by default"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each is taken (3)")
    parser.add_argument(
        "--share", type=float, default=1.0, help="how much of the work a round has (1.0)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="see that it runs; figures mean little"
    )
    parser.add_argument(
        "--profile", type=Path, help="have our worker write its profile to this file (slow)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
