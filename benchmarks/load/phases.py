"""One round: a moderate load, many connections, an overload, and the recovery."""

from collections.abc import Awaitable
from dataclasses import dataclass

from benchmarks.load.api import Api
from benchmarks.load.client import Outcome
from benchmarks.queue.figures import Target, at_least, at_most

MODERATE, MANY = 32, 600
"""Connections of the closed loops."""

OVERLOAD, OPEN_CONNECTIONS = 10, 3_000
"""The overload as a multiple of the peak, and its number of connections."""

GOOD_SHARE = 0.8
WINDOW = 0.5
"""Seconds of sufficient goodput that end the recovery."""

FIGURES: dict[str, tuple[str, Target | None]] = {
    "peak": ("/s", None),
    "600 connections: goodput, of the peak": ("%", at_least(80)),
    "600 connections: at equal processor time": ("%", None),
    "10 × peak, open loop: goodput, of the peak": ("%", at_least(80)),
    "10 × peak, open loop: at equal processor time": ("%", None),
    "10 × peak, open loop: 503": ("/s", None),
    "10 × peak, open loop: 503, p50": ("ms", at_most(20)),
    "10 × peak, open loop: 503, p99": ("ms", at_most(20)),
    "memory at its end, compared with the peak": ("×", at_most(1.3)),
    "recovery": ("s", at_most(2)),
}
"""The figures of a round, each with its unit and its target."""


@dataclass(frozen=True)
class Phase:
    """The responses in a period, and the processor time that the API needed for them."""

    outcome: Outcome
    cpu_seconds: float

    @property
    def goodput(self) -> float:
        return self.outcome.goodput

    @property
    def successes_per_cpu_second(self) -> float:
        return self.goodput * self.outcome.seconds / max(self.cpu_seconds, 0.01)


async def measure(api: Api, seconds: float) -> list[float]:
    """Return the values of FIGURES.

    The peak is measured before and after each phase, because other work on the machine changes from
    second to second. The share at equal processor time leaves out what the load itself and other
    work take from the API.
    """
    await closed(api, MODERATE, seconds / 3)  # the pool opens its connections
    memory = api.memory
    first = await closed(api, MODERATE, seconds)
    many = await closed(api, MANY, seconds)
    second = await closed(api, MODERATE, seconds)
    await api.load.connect(OPEN_CONNECTIONS)
    overload = await measured(api, api.load.open(OVERLOAD * second.goodput, seconds))
    growth = api.memory / memory
    api.load.disconnect()
    after = await closed(api, MODERATE, seconds)
    third = await closed(api, MODERATE, seconds)
    return [
        (first.goodput + second.goodput + third.goodput) / 3,
        *shares(many, first, second),
        *shares(overload, second, third),
        overload.outcome.rate(503),
        overload.outcome.percentile(503, 0.5),
        overload.outcome.percentile(503, 0.99),
        growth,
        after.outcome.reached(GOOD_SHARE * third.goodput, WINDOW),
    ]


async def closed(api: Api, connections: int, seconds: float) -> Phase:
    await api.load.connect(connections)
    phase = await measured(api, api.load.closed(seconds))
    api.load.disconnect()
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
