"""Prometheus gauges of the queues."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.core.control import Overview
from app.schemas.health import Readiness

UNKNOWN = "unknown"
"""The label for all queues that are not in the code, because their names must not become labels."""

Values = Sequence[tuple[str, float]]


class QueueGauges(Collector):
    """Exports the latest state of the queues. One thread writes it, and another reads it.

    Unknown values are omitted, because old values would hide a problem.
    """

    def __init__(self) -> None:
        self._latest: Sequence[Metric] = ()
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def update(self, readiness: Readiness, overview: Overview | None) -> None:
        families = [*_servers(readiness)]
        if overview is not None:
            families += [*_queues(overview), *_rows(overview)]
        self._latest = families

    def collect(self) -> Iterator[Metric]:
        yield from self._latest


def _servers(readiness: Readiness) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "dependency_up",
        "Whether a server answers and takes writes: PostgreSQL, and the Redis of each queue.",
        labels=("dependency", "queue"),
    )
    up.add_metric(("postgresql", ""), readiness.database.status == "up")
    for queue, check in readiness.queues.items():
        up.add_metric(("redis", queue), check.status == "up")
    yield up
    yield GaugeMetricFamily(
        "readiness_warnings",
        "Warnings of /health/ready about problems that do not make the service unready.",
        value=len(readiness.warnings),
    )


def _queues(overview: Overview) -> Iterator[Metric]:
    queues = overview.queues
    yield _by_queue(
        "queue_due_jobs", "Jobs that wait for a worker.", [(q.queue, q.due) for q in queues]
    )
    yield _by_queue(
        "queue_oldest_due_age_seconds",
        "How long the oldest job that waits for a worker has been due; 0 without such a job.",
        [(q.queue, q.oldest_due_age or 0) for q in queues],
    )
    yield _by_queue("queue_running", "Jobs that run.", [(q.queue, q.running) for q in queues])
    yield _by_queue(
        "queue_scheduled_jobs",
        "Jobs that wait for their time or for their next try.",
        [(q.queue, q.scheduled.value) for q in queues],
    )
    yield _by_queue(
        "queue_postponed_jobs",
        "Jobs that wait for a worker of another release.",
        [(q.queue, sum(q.postponed.values())) for q in queues],
    )
    yield _by_queue(
        "queue_live_workers",
        "Worker processes with a heartbeat in the last 15 seconds.",
        [(q.queue, q.workers) for q in queues],
    )
    yield _by_queue(
        "queue_paused", "1 for a paused queue.", [(q.queue, q.limits.paused) for q in queues]
    )


def _rows(overview: Overview) -> Iterator[Metric]:
    known, unknown = overview.queues, overview.unknown
    yield _by_queue(
        "queue_dead_letters",
        "Jobs that failed for good, counted up to 10,000.",
        [(each.queue, each.dead.value) for each in known]
        + [(UNKNOWN, sum(each.dead.value for each in unknown))],
    )
    yield _by_queue(
        "outbox_rows",
        "Jobs without a committed effect, counted up to 10,000.",
        [(each.queue, each.outbox.value) for each in known]
        + [(UNKNOWN, sum(each.outbox.value for each in unknown))],
    )
    yield _by_queue(
        "outbox_oldest_age_seconds",
        "How long the oldest job without a committed effect has been due; 0 without such a job.",
        [(each.queue, each.oldest_outbox_age or 0) for each in known]
        + [(UNKNOWN, max((each.oldest_outbox_age or 0 for each in unknown), default=0))],
    )


def _by_queue(name: str, documentation: str, values: Values) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=("queue",))
    for queue, value in values:
        family.add_metric((queue,), float(value))
    return family
