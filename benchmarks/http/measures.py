"""The measures and their targets."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.http.contenders import (
    BARE,
    OURS,
    PLAIN,
    PREVIOUS,
    Contender,
    Request,
)
from benchmarks.http.load import put_load
from benchmarks.http.server import Server
from benchmarks.queue.figures import (
    Figure,
    Target,
    at_most,
    times_at_least,
)

COSTS = Path(__file__).with_name("costs.py")

SHARES = {
    "health": (0.65, None),
    "own user": (0.65, 3.0),
    "one user": (0.45, 2.5),
    "list 100 users": (0.45, 2.0),
    "create an item": (0.45, 2.5),
    "read an item": (0.45, 2.5),
    "own items": (0.45, 2.0),
}
"""Targets for the rate, as a share of the bare and a multiple of the plain application."""

ENQUEUE_GAIN = 5.0
HASHING = {"sign up": 5, "log in": 7}
"""Requests that hash a password, with the round trips that they need."""

MANY = 32
P99_FACTOR = 4.0
ROUND_TRIPS = {"own user": 1, "one user": 1, "read an item": 1, "list 100 users": 2, "own items": 2}
BESIDE_HASH_MS = 3.0
START_SECONDS = 1.5
IMPORT_SECONDS = {"main": 0.9, "run_base_worker": 0.5}
FRESH_MIB, LOADED_MIB = 85.0, 95.0


@dataclass
class Values:
    """The values of all rounds, by measure and contender."""

    rates: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, measure: str, contender: str, value: float) -> None:
        self.rates.setdefault((measure, contender), []).append(value)

    def of(self, measure: str) -> dict[str, list[float]]:
        names = (OURS, BARE, PLAIN, PREVIOUS)
        return {name: self.rates[measure, name] for name in names if (measure, name) in self.rates}


async def measure_load(
    server: Server, measure: str, request: Request, seconds: float, values: Values
) -> None:
    """Measure one kind of request with many connections and with one."""
    contender = server.name
    before = server.processor_time
    many = await put_load(server.port, request, MANY, seconds)
    used = server.processor_time - before
    one = await put_load(server.port, request, 1, seconds / 2)
    values.add(f"{measure}: requests/s", contender, many.rate)
    values.add(f"{measure}: processor time", contender, used / many.responses * 1e6)
    values.add(f"{measure}: server busy", contender, used / many.seconds * 100)
    for name, load in ((MANY, many), (1, one)):
        values.add(f"{measure}: p50, {name}", contender, load.p50 * 1e3)
        values.add(f"{measure}: p99, {name}", contender, load.p99 * 1e3)


async def measure_costs(
    contender: Contender, requests: Mapping[str, Request], values: Values
) -> None:
    """Count function calls and round trips in a separate process."""
    for name, cost in (await costs_of(contender, requests)).items():
        values.add(f"{name}: calls", contender.name, cost["calls"])
        values.add(f"{name}: round trips", contender.name, cost["round_trips"])


async def costs_of(
    contender: Contender, requests: Mapping[str, Request]
) -> dict[str, dict[str, float]]:
    asked = [
        {
            "name": name,
            "method": request.method,
            "path": request.paths[0],
            "headers": dict(request.headers),
            "body": request.body,
        }
        for name, request in requests.items()
    ]
    process = await asyncio.create_subprocess_exec(
        *(contender.python, str(COSTS), contender.app),
        cwd=contender.folder,
        env=contender.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate(json.dumps(asked).encode())
    if process.returncode:
        raise ChildProcessError(errors.decode()[-2_000:])
    costs: dict[str, dict[str, float]] = json.loads(output.decode().splitlines()[-1])
    return costs


async def import_time(contender: Contender, module: str) -> float:
    """Return the processor time, in seconds, until a module is imported."""
    code = f"import time, {module}; print(time.process_time())"
    process = await asyncio.create_subprocess_exec(
        *(contender.python, "-c", code),
        cwd=contender.folder,
        env=contender.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return float(output.decode().splitlines()[-1])


def figures(values: Values) -> Iterator[Figure]:
    """Yield the lines of the table, with their targets."""
    for measure, (of_bare, of_plain) in SHARES.items():
        yield _figure(values, f"{measure}: requests/s", "", _shares(of_bare, of_plain))
        yield from _details(values, measure)
    if values.of("enqueue: requests/s"):
        previous = PREVIOUS in values.of("enqueue: requests/s")
        target = times_at_least(ENQUEUE_GAIN, PREVIOUS) if previous else None
        yield _figure(values, "enqueue: requests/s", "", target)
        yield from _details(values, "enqueue")
    for measure, needed in HASHING.items():
        yield _figure(
            values, f"{measure}: processor time beside the hash", "ms", at_most(BESIDE_HASH_MS)
        )
        yield _figure(values, f"{measure}: round trips", "", at_most(needed + 1))
        yield _figure(values, f"{measure}: calls", "")
    yield _figure(values, "exec to first 200", "s", at_most(START_SECONDS))
    for module, limit in IMPORT_SECONDS.items():
        yield _figure(values, f"import {module}", "s", at_most(limit))
    yield _figure(values, "memory, fresh", "MiB", at_most(FRESH_MIB))
    yield _figure(values, "memory, after the load", "MiB", at_most(LOADED_MIB))


def _details(values: Values, measure: str) -> Iterator[Figure]:
    yield _figure(values, f"{measure}: processor time", "µs")
    yield _figure(values, f"{measure}: server busy", "%")
    yield _figure(values, f"{measure}: p50, 1", "ms")
    yield _figure(values, f"{measure}: p99, 1", "ms")
    yield _figure(values, f"{measure}: p50, {MANY}", "ms")
    yield _figure(values, f"{measure}: p99, {MANY}", "ms", _tail(values, measure))
    needed = ROUND_TRIPS.get(measure)
    yield _figure(values, f"{measure}: round trips", "", at_most(needed) if needed else None)
    yield _figure(values, f"{measure}: calls", "")


def _figure(values: Values, measure: str, unit: str, target: Target | None = None) -> Figure:
    return Figure(measure, unit, values.of(measure), target)


def _shares(of_bare: float, of_plain: float | None) -> Target:
    targets = [times_at_least(of_bare, BARE)]
    if of_plain is not None:
        targets.append(times_at_least(of_plain, PLAIN))
    return _all(targets)


def _all(targets: Sequence[Target]) -> Target:
    text = ", ".join(target.text for target in targets)
    return Target(text, lambda medians: all(target.holds(medians) for target in targets))


def _tail(values: Values, measure: str) -> Target:
    p50 = Figure("", "", values.of(f"{measure}: p50, {MANY}"))
    return Target(
        f"≤ {P99_FACTOR:g} × p50",
        lambda medians: medians[OURS] <= P99_FACTOR * p50.medians[OURS],
    )
