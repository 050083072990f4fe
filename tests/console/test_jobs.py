"""The actions of operators on jobs and queues, and their events in the audit trail."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.core import control
from app.core.job_store.outbox import outbox
from app.core.job_store.record import JobState
from app.core.queue import BASE
from app.core.resources import Resources
from app.models import AuditEvent, UserSession
from app.routes.console.parts import read_job
from tests.core.control.jobs import Paint, add_dead_letter, enqueue, job_of
from tests.support.accounts import Person
from tests.support.page_browser import PageBrowser


async def last_event(resources: Resources) -> AuditEvent:
    async with resources.sessions() as session:
        event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))
    assert event is not None
    return event


async def test_an_operator_retries_a_dead_letter_and_gives_a_reason(
    console: PageBrowser, resources: Resources, root: Person
) -> None:
    job_id = await add_dead_letter(resources, Paint(color="blue"), error="OSError: no paint")
    await console.open("/console/dead-letters")
    page = await console.follow("Paint")
    assert "OSError: no paint" in page.text

    page = await console.open(f"/console/jobs/{job_id}")
    assert "blue" in page.text
    await console.follow("Retry")
    for nothing in ("", "  "):
        refused = await console.submit("Retry", reason=nothing)
        assert refused.error("reason") == "Fill in this field."
    page = await console.submit("Retry", reason="the paint has come")

    assert (page.path, page.alert) == (f"/console/jobs/{job_id}", "The job is due again.")
    assert (await job_of(resources, job_id)).state is JobState.QUEUED
    event = await last_event(resources)
    assert (event.event, event.actor_id) == ("job.retried", root.id)
    assert event.details == {
        "reason": "the paint has come",
        "job": "Paint",
        "job_id": str(job_id),
    }


async def test_a_job_shows_its_trace_and_where_to_look_at_it(
    console: PageBrowser, resources: Resources
) -> None:
    job_id, trace_id = (
        await add_dead_letter(resources, Paint(), error="OSError: no paint"),
        "ab" * 16,
    )
    async with resources.unit_of_work() as uow:
        traceparent = f"00-{trace_id}-{'cd' * 8}-01"
        await uow.session.execute(update(outbox).values(traceparent=traceparent))

    assert trace_id in (await console.open(f"/console/jobs/{job_id}")).text
    viewer = {"trace_url": "https://traces.example.com/{trace_id}?tab=spans"}
    settings = resources.settings.model_copy(update=viewer)
    values = await read_job(replace(resources, settings=settings), str(job_id))
    assert values["trace_link"] == f"https://traces.example.com/{trace_id}?tab=spans"


async def test_an_action_that_fails_leaves_no_event(
    console: PageBrowser, resources: Resources
) -> None:
    job_id = await enqueue(resources, Paint())
    await console.open(f"/console/jobs/{job_id}/do/retry")
    page = await console.submit("Retry", reason="by mistake")

    assert page.status == 404
    async with resources.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(AuditEvent)) == 0


async def test_an_operator_cancels_a_job_that_waits(
    console: PageBrowser, resources: Resources
) -> None:
    job_id = await enqueue(resources, Paint())
    await console.open(f"/console/jobs/{job_id}")
    await console.follow("Cancel the job")
    page = await console.submit("Cancel the job", reason="the wall is gone")

    assert page.alert == "The job is canceled."
    assert (await job_of(resources, job_id)).state is JobState.CANCELLED


@pytest.mark.parametrize(
    "path",
    ["/console/dead-letters/retry", "/console/jobs/{}/do/discard", "/console/jobs/{}/do/cancel"],
)
async def test_bulk_and_destructive_actions_need_a_recent_proof_and_lead_back(
    console: PageBrowser, resources: Resources, path: str
) -> None:
    path = path.format(await add_dead_letter(resources, Paint()))
    async with resources.unit_of_work() as uow:
        yesterday = func.now() - timedelta(days=1)
        await uow.session.execute(update(UserSession).values(proven_at=yesterday))
    answers = [
        await console.client.request(method, path, data={"reason": "x"})
        for method in ("GET", "POST")
    ]

    assert [answer.headers["location"] for answer in answers] == [
        f"/account/confirm?next={path}"
    ] * 2
    assert await control.count_dead_letters(resources.sessions) == {"Paint": 1}


async def test_an_operator_pauses_limits_and_resumes_a_queue(
    console: PageBrowser, resources: Resources
) -> None:
    await console.open("/console")
    await console.follow("Pause base")
    page = await console.submit("Pause", reason="the database is slow")
    assert page.alert == "The queue is paused."
    await console.follow("Limit base")
    page = await console.submit("Set the limits", rate="2.5", concurrency="x", reason="slow")
    assert page.error("concurrency").startswith("Input should be a valid integer")
    await console.submit("Set the limits", rate="2.5", concurrency="3", reason="slow")

    limits = await control.queue_limits(resources.queues, BASE)
    assert (limits.paused, limits.rate, limits.concurrency) == (True, 2.5, 3)
    await console.follow("Resume base")
    await console.submit("Resume", reason="over")
    assert not (await control.queue_limits(resources.queues, BASE)).paused
    assert (await last_event(resources)).details == {"reason": "over", "queue": "base"}


async def test_an_invalid_filter_of_jobs_shows_an_error_next_to_its_field(
    console: PageBrowser,
) -> None:
    page = await console.open("/console/jobs?since=yesterday")

    assert page.error("since").startswith("Input should be a valid datetime")
