"""An observer of a worker gets a report per try and cannot harm a job."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.job_store.record import JobState
from app.core.queue import BASE, Job, QueuePools
from app.core.resources import Resources
from app.core.worker.execution.observers import Observers, TryReport
from app.core.worker.settings import WorkerSettings, worker_settings
from app.workers.context import JobContext
from tests.records import find_job
from tests.support.workers import RunWorker

KEYS = QueueKeys(BASE)
Handler = Callable[[JobContext], Awaitable[None]]


class Paint(Job, queue=BASE, max_tries=2, backoff=0.001): ...


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker can see."""
    return committing_resources


@pytest.fixture
def reports() -> list[TryReport]:
    return []


def painting(handler: Handler) -> WorkerSettings:
    async def paint(ctx: JobContext, job: Paint) -> None:
        assert isinstance(job, Paint)
        await handler(ctx)

    return worker_settings(BASE, handlers=[paint], settings=Settings(_env_file=None))


async def succeed(_: JobContext) -> None:
    pass


async def test_each_try_of_a_job_is_reported_once(
    resources: Resources, run_worker: RunWorker, reports: list[TryReport]
) -> None:
    async def fail_at_first(ctx: JobContext) -> None:
        if ctx.attempt == 1:
            raise OSError("a message that may be private")

    job_id = await resources.queues.send(Paint())
    await run_worker(painting(fail_at_first), observers=[reports.append])

    assert [(each.job_id, each.queue, each.name) for each in reports] == [
        (job_id, "base", "Paint")
    ] * 2
    assert [(each.attempt, each.outcome, each.error_class) for each in reports] == [
        (1, "retried", "OSError"),
        (2, "succeeded", None),
    ]
    assert "private" not in repr(reports)


async def test_a_job_that_fails_for_good_is_reported_as_failed(
    resources: Resources, run_worker: RunWorker, reports: list[TryReport]
) -> None:
    async def fail(_: JobContext) -> None:
        raise LookupError

    await resources.queues.send(Paint())
    await run_worker(painting(fail), observers=[reports.append])

    assert [each.outcome for each in reports] == ["retried", "failed"]


async def test_a_job_that_no_handler_takes_is_reported_without_a_duration(
    resources: Resources, run_worker: RunWorker, reports: list[TryReport]
) -> None:
    job_id = await resources.queues.send(Paint())
    await resources.queues[BASE].delete(KEYS.job(job_id))
    await run_worker(painting(succeed), observers=[reports.append])

    [report] = reports
    assert (report.job_id, report.outcome, report.duration_seconds) == (job_id, "failed", 0)
    assert report.error_class == "PayloadMissing"


async def test_the_pickup_is_measured_from_when_a_job_was_due(
    resources: Resources, run_worker: RunWorker, reports: list[TryReport]
) -> None:
    """A priority makes a job look as if it had waited longer, and a retry is due again."""
    redis = resources.queues[BASE]
    job_id = str(await resources.queues.send(Paint(), priority=60))
    score = await redis.zscore(KEYS.queue, job_id)
    assert isinstance(score, float)
    await redis.zadd(KEYS.queue, {job_id: score - 20_000})

    async def defer_at_first(ctx: JobContext) -> None:
        if ctx.attempt == 1:
            raise OSError

    await run_worker(painting(defer_at_first), observers=[reports.append])

    first, second = (each.pickup_seconds for each in reports)
    assert first is not None
    assert second is not None
    assert timedelta(seconds=20) <= timedelta(seconds=first) < timedelta(minutes=50)
    assert second < first


async def test_a_job_that_is_canceled_while_it_runs_is_reported_once(
    resources: Resources, run_worker: RunWorker, reports: list[TryReport]
) -> None:
    begun = asyncio.Event()

    async def hang(_: JobContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    job_id = await resources.queues.send(Paint())

    async def cancel() -> None:
        await begun.wait()
        await control.cancel(resources.sessions, resources.queues, job_id)

    await asyncio.gather(run_worker(painting(hang), observers=[reports.append]), cancel())

    assert [(each.job_id, each.outcome) for each in reports] == [(job_id, "cancelled")]


async def test_an_error_of_an_observer_harms_no_job(
    queues: QueuePools, run_worker: RunWorker, reports: list[TryReport]
) -> None:
    def fail(_: TryReport) -> None:
        raise ZeroDivisionError

    job_id = await queues.send(Paint())
    with capture_logs() as lines:
        await run_worker(painting(succeed), observers=[fail, reports.append])

    record = await find_job(queues, job_id)
    assert record is not None
    assert record.state is JobState.SUCCEEDED
    assert [each.outcome for each in reports] == ["succeeded"]
    assert [line["event"] for line in lines].count("observer.failed") == 1


def test_an_observer_is_called_until_its_block_ends() -> None:
    observers, reports = Observers(), list[TryReport]()

    with observers.observing(reports.append):
        assert observers

    assert not observers
