"""One round: for each route, a moderate load, many connections, an overload, and the recovery."""

from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import chain

from benchmarks.load.api import Api
from benchmarks.load.client import Load, Outcome
from benchmarks.queue.figures import Target, at_least, at_most

ROUTES = {
    "own user": ("GET", "/users/me"),
    "new item": ("POST", "/items/", '{"title": "A title", "description": "What it is about"}'),
    "100 users": ("GET", "/users/?limit=100"),
}
"""From cheap to expensive. The cost of a rejection is the same, so its share differs."""

MODERATE, MANY = 32, 600
"""Connections of the closed loops."""

OVERLOAD, OPEN_CONNECTIONS = 10, 3_000
"""The overload as a multiple of the peak, and its number of connections."""

GOOD_SHARE = 0.8
WINDOW = 0.5
"""Seconds of sufficient goodput that end the recovery."""

FIGURES_OF_ROUTE: dict[str, tuple[str, Target | None]] = {
    "peak": ("/s", None),
    "peak: processor time of a request": ("µs", None),
    "600 connections: goodput, of the peak": ("%", at_least(80)),
    "600 connections: at equal processor time": ("%", None),
    "10 × peak: goodput, of the peak": ("%", at_least(80)),
    "10 × peak: at equal processor time": ("%", None),
    "10 × peak: 503": ("/s", None),
    "10 × peak: 503, p50": ("ms", at_most(20)),
    "10 × peak: 503, p99": ("ms", at_most(20)),
    "10 × peak: processor time of a 503": ("µs", None),
    "10 × peak: connections that the API closed": ("", None),
    "recovery": ("s", at_most(2)),
}
"""The figures of a route, each with its unit and its target."""

FIGURES: dict[str, tuple[str, Target | None]] = {
    f"{route}, {name}": figure for route in ROUTES for name, figure in FIGURES_OF_ROUTE.items()
} | {"memory at the end, compared with the first peak": ("×", at_most(1.3))}
"""The figures of a round."""


@dataclass(frozen=True)
class Phase:
    """The responses in a period, and the processor time that the API needed for them."""

    outcome: Outcome
    cpu_seconds: float

    @property
    def goodput(self) -> float:
        return self.outcome.goodput

    @property
    def successes(self) -> float:
        return self.goodput * self.outcome.seconds

    @property
    def successes_per_cpu_second(self) -> float:
        return self.successes / max(self.cpu_seconds, 0.01)


async def measure(api: Api, seconds: float) -> list[float]:
    """Return the values of FIGURES."""
    loads = [api.load(*request) for request in ROUTES.values()]
    await closed(api, loads[0], MODERATE, seconds / 2)
    memory = api.memory
    figures = [await measure_route(api, load, seconds) for load in loads]
    return [*chain.from_iterable(figures), api.memory / memory]


async def measure_route(api: Api, load: Load, seconds: float) -> list[float]:
    """Return the values of FIGURES_OF_ROUTE.

    The peak is measured before and after each phase, because other work on the machine changes from
    second to second. The share at equal processor time leaves out what the load itself and other
    work take from the API.
    """
    await closed(api, load, MODERATE, seconds / 4)  # caches fill
    first = await closed(api, load, MODERATE, seconds)
    many = await closed(api, load, MANY, seconds)
    second = await closed(api, load, MODERATE, seconds)
    await load.connect(OPEN_CONNECTIONS)
    overload = await measured(api, load.open(OVERLOAD * second.goodput, seconds))
    load.disconnect()
    after = await closed(api, load, MODERATE, seconds)
    third = await closed(api, load, MODERATE, seconds)
    peaks = (first, second, third)
    return [
        sum(peak.goodput for peak in peaks) / len(peaks),
        1e6 * sum(peak.cpu_seconds for peak in peaks) / sum(peak.successes for peak in peaks),
        *shares(many, first, second),
        *shares(overload, second, third),
        overload.outcome.rate(503),
        overload.outcome.percentile(503, 0.5),
        overload.outcome.percentile(503, 0.99),
        cost_of_rejection(overload, second, third),
        overload.outcome.lost,
        after.outcome.reached(GOOD_SHARE * third.goodput, WINDOW),
    ]


async def closed(api: Api, load: Load, connections: int, seconds: float) -> Phase:
    await load.connect(connections)
    phase = await measured(api, load.closed(seconds))
    load.disconnect()
    return phase


async def measured(api: Api, load: Awaitable[Outcome]) -> Phase:
    before = api.cpu_seconds
    outcome = await load
    return Phase(outcome, api.cpu_seconds - before)


def shares(phase: Phase, before: Phase, after: Phase) -> tuple[float, float]:
    """Return the goodput and the successes per CPU second, as percentages of the peak's."""
    peak = (before.goodput + after.goodput) / 2
    cost = (before.successes_per_cpu_second + after.successes_per_cpu_second) / 2
    return 100 * phase.goodput / peak, 100 * phase.successes_per_cpu_second / cost


def cost_of_rejection(overload: Phase, before: Phase, after: Phase) -> float:
    """Return the microseconds of processor time that were left for each rejection."""
    per_second = (before.successes_per_cpu_second + after.successes_per_cpu_second) / 2
    rejections = len(overload.outcome.latencies(503))
    left = overload.cpu_seconds - overload.successes / per_second
    return 1e6 * left / max(rejections, 1)
