"""The metrics of a worker's jobs."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from app.core.telemetry.metrics_histogram import Histogram
from app.core.telemetry.metrics_interface import Try

DURATIONS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
PICKUPS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0)

OUTCOMES = ("succeeded", "retried", "failed", "cancelled", "interrupted")

UNKNOWN = "unknown"
"""The label of a job that is not in the code, because arbitrary names must not become labels."""


class JobMetrics(Collector):
    """The tries of the jobs of one queue, by name and outcome."""

    def __init__(self, queue: str, names: Sequence[str]) -> None:
        self._queue = queue
        self._names = frozenset(names)
        # All series exist from the start: Prometheus misses the first increase of a new one.
        known = [*names, UNKNOWN]
        self._tries = Counter({(name, each): 0 for name in known for each in OUTCOMES})
        self._leases_lost = 0
        self._duration = Histogram(
            "job_duration_seconds",
            "Seconds that a try of a job took.",
            ("queue", "name", "outcome"),
            bounds=DURATIONS,
        )
        self._pickup = Histogram(
            "job_pickup_seconds",
            "Seconds from when a job was due until its handler began.",
            ("queue", "name"),
            bounds=PICKUPS,
        )

    def observe(self, report: Try) -> None:
        name = report.name if report.name in self._names else UNKNOWN
        outcome = report.outcome
        self._leases_lost += report.lost_its_lease
        self._tries[name, outcome] += 1
        self._duration.observe((self._queue, name, outcome), report.duration_seconds)
        if report.pickup_seconds is not None:
            self._pickup.observe((self._queue, name), report.pickup_seconds)

    def collect(self) -> Iterator[Metric]:
        tries = CounterMetricFamily(
            "job_tries", "Tries of jobs, by how they ended.", labels=("queue", "name", "outcome")
        )
        for (name, outcome), count in list(self._tries.items()):
            tries.add_metric((self._queue, name, outcome), count)
        yield tries
        lost = CounterMetricFamily(
            "worker_lease_lost",
            "Running jobs that another worker may have taken from this one.",
            labels=("queue",),
        )
        lost.add_metric((self._queue,), self._leases_lost)
        yield lost
        yield from self._duration.collect()
        yield from self._pickup.collect()
