"""A worker measures each try of its jobs, by the name of the job and how the try ended."""

from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from app.core.config import Settings
from app.core.queue import BASE, Job
from app.core.resources import Resources
from app.core.telemetry.metrics_jobs import JobMetrics
from app.core.worker.execution.observers import LeaseLost, TryReport
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from dev.processes import free_port
from tests.support.metrics import Scrape, parse, scrape
from tests.support.service import with_settings
from tests.support.workers import RunWorker

NAME = {"queue": "base", "name": "Paint"}


class Paint(Job, queue=BASE, max_tries=2, backoff=0.001): ...


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker can see."""
    return committing_resources


async def test_prometheus_sees_how_the_tries_of_a_job_end(
    resources: Resources, run_worker: RunWorker
) -> None:
    port, found = free_port(), list[Scrape]()

    async def paint(ctx: JobContext, job: Paint) -> None:
        assert isinstance(job, Paint)
        if ctx.attempt == 1:
            raise OSError
        found.append(await scrape(port))

    await resources.queues.send(Paint())
    await run_worker(
        worker_settings(BASE, handlers=[paint], settings=Settings(_env_file=None)),
        using=with_settings(resources, metrics_port=port),
    )

    [seen] = found
    assert seen.value("service_info", role="worker") == 1
    assert seen.value("job_tries_total", **NAME, outcome="retried") == 1
    assert seen.value("job_tries_total", **NAME, outcome="failed") == 0
    assert seen.value("job_duration_seconds_count", **NAME, outcome="retried") == 1
    assert seen.value("job_pickup_seconds_count", **NAME) == 1
    assert seen.value("worker_lease_lost_total", queue="base") == 0
    assert seen.value("db_pool_connections_max") is not None


def report(
    *, name: str = "Paint", seconds: float = 0.0, error_class: str | None = None
) -> TryReport:
    return TryReport(
        queue="base",
        name=name,
        job_id=UUID(int=0),
        attempt=1,
        outcome="interrupted",
        pickup_seconds=None,
        duration_seconds=seconds,
        error_class=error_class,
    )


def after(*reports: TryReport) -> Scrape:
    """Return what Prometheus sees after these tries."""
    metrics, registry = JobMetrics("base", ["Paint"]), CollectorRegistry()
    registry.register(metrics)
    for each in reports:
        metrics.observe(each)
    return parse(generate_latest(registry).decode())


def test_a_lost_lease_is_counted() -> None:
    seen = after(report(error_class=LeaseLost.__name__), report())

    assert seen.value("worker_lease_lost_total", queue="base") == 1
    assert seen.value("job_tries_total", name="Paint", outcome="interrupted") == 2


def test_unknown_names_do_not_become_labels() -> None:
    seen = after(*(report(name=f"<script>{number}") for number in range(100)))

    names = {dict(labels)["name"] for labels in seen.series("job_tries_total")}
    assert names == {"Paint", "unknown"}
    assert seen.value("job_tries_total", name="unknown") == 100


def test_a_duration_counts_in_the_first_bucket_that_it_fits_and_in_all_larger_ones() -> None:
    seen = after(report(seconds=0.005), report(seconds=0.6), report(seconds=1000))

    counts = {
        le: seen.value("job_duration_seconds_bucket", le=le)
        for le in ("0.005", "0.5", "1.0", "300.0", "+Inf")
    }
    assert counts == {"0.005": 1, "0.5": 1, "1.0": 2, "300.0": 2, "+Inf": 3}
    assert seen.value("job_duration_seconds_sum") == pytest.approx(1000.605)
