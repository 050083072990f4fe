"""`python -m benchmarks.http` measures the cost of requests and prints one table.

Each contender is a process on the first core. PostgreSQL, Valkey, and the client share the others.
The contenders are measured in turns, and the order rotates, so that other work affects all of them.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.http.budget import Costs, write_budget
from benchmarks.http.contenders import OURS, PREVIOUS, Contender, People, Request, requests_to
from benchmarks.http.ground import people_beside, people_of, promoted, servers
from benchmarks.http.load import generator, put_load
from benchmarks.http.measures import (
    HASHING,
    IMPORT_SECONDS,
    Values,
    costs_of,
    figures,
    import_time,
    measure_costs,
    measure_load,
)
from benchmarks.http.server import Server, running, take_the_other_cores
from benchmarks.queue.figures import table

Requests = Mapping[str, Mapping[str, Request]]

HASHED_SECONDS = 1.5


async def measure(
    contenders: Mapping[str, Contender], options: argparse.Namespace, values: Values
) -> None:
    with ExitStack() as stack:
        served = {
            name: stack.enter_context(running(contender, health_of(contender)))
            for name, contender in contenders.items()
        }
        people = await fill(contenders, served)
        requests = {n: requests_to(c, people[n]) for n, c in contenders.items()}
        for name, contender in contenders.items():
            await measure_costs(contender, requests[name], values)
        for number in range(options.rounds):
            await measure_round(served, requests, number, options, values)
        for _ in range(options.rounds):
            await measure_starts(contenders, values)
        # Only now: the last passwords of the load were hashed meanwhile, in 19 MiB each.
        for name, server in served.items():
            values.add("memory, after the load", name, server.memory)


async def costs_of_ours(contenders: Mapping[str, Contender]) -> Costs:
    ours = contenders[OURS]
    with running(ours, health_of(ours)) as server:
        people = await fill({OURS: ours}, {OURS: server})
    return await costs_of(ours, requests_to(ours, people[OURS]))


async def fill(
    contenders: Mapping[str, Contender], served: Mapping[str, Server]
) -> dict[str, People]:
    """Fill the databases. The small applications share that of the service."""
    people = {}
    for name in {OURS, PREVIOUS} & contenders.keys():
        found = await people_of(contenders[name], served[name].port)
        people[name] = await promoted(contenders[name], served[name].port, found)
    beside = await people_beside(contenders[OURS], people[OURS])
    return {name: people.get(name, beside) for name in contenders}


async def measure_round(
    served: Mapping[str, Server],
    requests: Requests,
    number: int,
    options: argparse.Namespace,
    values: Values,
) -> None:
    measures = [name for name in requests[OURS] if not options.only or name in options.only]
    for measure in measures:
        names = [name for name in served if measure in requests[name]]
        for name in names[number % len(names) :] + names[: number % len(names)]:
            server, request = served[name], requests[name][measure]
            if measure not in HASHING:
                await measure_load(server, measure, request, options.seconds, values)
                continue
            before = server.event_loop_time
            load = await put_load(server.port, request, 1, HASHED_SECONDS)
            used = (server.event_loop_time - before) / load.responses
            values.add(f"{measure}: processor time beside the hash", name, used * 1e3)
    print(f"round {number + 1} of {options.rounds}", file=sys.stderr)


async def measure_starts(contenders: Mapping[str, Contender], values: Values) -> None:
    for name, contender in contenders.items():
        with running(contender, health_of(contender)) as server:
            values.add("exec to first 200", name, server.start)
            values.add("memory, fresh", name, server.memory)
        for module in IMPORT_SECONDS if contender.is_the_service else ():
            values.add(f"import {module}", name, await import_time(contender, module))


def health_of(contender: Contender) -> str:
    return "/health/live" if contender.is_the_service else "/health"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, which is 1 if a target is missed."""
    options = parser().parse_args(arguments)
    values, began, complete = Values(), time.monotonic(), False
    take_the_other_cores()
    with servers(options.against) as contenders:
        if options.write_budget:
            write_budget(asyncio.run(costs_of_ours(contenders)))
            return 0
        try:
            asyncio.run(measure(contenders, options, values))
            complete = True
        except (RuntimeError, ChildProcessError, KeyboardInterrupt) as error:
            print(f"stopped: {error!r}", file=sys.stderr)
    measured = [figure for figure in figures(values) if OURS in figure.values]
    if not complete:  # a target may need a contender that was not measured
        measured = [replace(figure, target=None) for figure in measured]
    print(table(measured))
    print(
        f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {options.rounds} rounds; "
        f"requests by {generator()}; {time.monotonic() - began:.0f} s"
    )
    missed = any(figure.verdict == "NOT met" for figure in measured)
    return 1 if missed or not complete else 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("only", nargs="*", help="measures, such as 'own user'; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement (1)")
    parser.add_argument(
        "--against", type=Path, help="a checkout of an earlier version, to measure as well"
    )
    parser.add_argument(
        "--write-budget", action="store_true", help="write what requests cost now to budget.toml"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
