"""The details of a job."""

from dataclasses import replace

import pytest

from app.core import control
from app.core.job_store import outbox
from app.core.job_store.record import JobState
from app.core.queue import BASE, to_message
from app.core.resources import Resources
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.core.control.jobs import Paint
from tests.support.workers import RunWorker

TRACE = "ab" * 16


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Commits that the worker sees."""
    return committing_resources


@pytest.mark.parametrize(("flags", "shown"), [("01", TRACE), ("00", None)])
async def test_a_job_that_has_ended_shows_the_trace_that_a_collector_has(
    resources: Resources, run_worker: RunWorker, flags: str, shown: str | None
) -> None:
    async def paint(ctx: JobContext, job: Paint) -> None:
        pass

    traceparent = f"00-{TRACE}-{'cd' * 8}-{flags}"
    message = replace(to_message(Paint(), durable=True), traceparent=traceparent)
    async with resources.sessions.begin() as session:
        await outbox.store(session, [message])
    await resources.queues.post([message])
    await run_worker(worker_settings(BASE, handlers=[paint], settings=resources.settings))

    details = await control.job_details(resources.sessions, resources.queues, message.id)
    assert (details.job.state, details.payload) == (JobState.SUCCEEDED, None)
    assert (details.trace_id, [each.trace_id for each in details.tries]) == (shown, [shown])
