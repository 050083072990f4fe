"""Operators manage queues and jobs over HTTP as on the command line, with an audit trail."""

import httpx2
import pytest
from sqlalchemy import select

from app.core import control
from app.core.queue import BASE, QUEUES
from app.core.resources import Resources
from app.models import AuditEvent
from app.schemas.jobs import BuildSignupReport
from tests.core.control.jobs import Paint, add_dead_letter, enqueue
from tests.support.accounts import Person, create_user


@pytest.fixture
async def operator(resources: Resources) -> Person:
    return await create_user(resources, "operator", superuser=True)


async def events(resources: Resources) -> list[tuple[str, object]]:
    """Return the events that an operator caused, and the reasons."""
    async with resources.sessions() as session:
        rows = await session.execute(
            select(AuditEvent.event, AuditEvent.details).order_by(AuditEvent.id)
        )
    return [(row.event, row.details.get("reason")) for row in rows if "reason" in row.details]


async def test_a_queue_is_paused_limited_and_resumed_for_a_reason(
    client: httpx2.AsyncClient, resources: Resources, operator: Person
) -> None:
    paused = await client.post(
        "/api/v1/queues/base/pause", headers=operator.headers, json={"reason": "a deploy"}
    )
    limited = await client.put(
        "/api/v1/queues/base/limits",
        headers=operator.headers,
        json={"reason": "too fast", "rate": 2.5, "concurrency": None},
    )
    shown = await client.get("/api/v1/queues/base", headers=operator.headers)
    resumed = await client.post(
        "/api/v1/queues/base/resume", headers=operator.headers, json={"reason": "done"}
    )

    assert paused.json()["paused"] is True
    assert limited.json() == {"paused": True, "rate": 2.5, "concurrency": None}
    assert shown.json()["limits"] == limited.json()
    assert resumed.json()["paused"] is False
    assert await events(resources) == [
        ("queue.paused", "a deploy"),
        ("queue.limited", "too fast"),
        ("queue.resumed", "done"),
    ]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines"])
async def test_a_reason_is_one_line_and_not_empty(
    client: httpx2.AsyncClient, operator: Person, reason: str
) -> None:
    answer = await client.post(
        "/api/v1/queues/base/pause", headers=operator.headers, json={"reason": reason}
    )

    assert answer.status_code == 422


async def test_all_queues_are_shown_as_on_the_command_line(
    client: httpx2.AsyncClient, resources: Resources, operator: Person
) -> None:
    await enqueue(resources, Paint())

    answer = await client.get("/api/v1/queues/", headers=operator.headers)

    shown = {figures["queue"]: figures for figures in answer.json()["data"]}
    base = shown["base"]
    assert list(shown) == [queue.name for queue in QUEUES]
    assert (base["due"], shown["email"]["due"]) == (1, 0)
    assert base["outbox"] == {"value": 1, "is_exact": True}
    assert len(base["ended"]) == 60


async def test_jobs_are_listed_by_state_and_argument(
    client: httpx2.AsyncClient, resources: Resources, operator: Person
) -> None:
    found = await enqueue(resources, BuildSignupReport(days=7))
    await enqueue(resources, BuildSignupReport(days=8))

    answer = await client.get(
        "/api/v1/jobs/",
        headers=operator.headers,
        params={"state": "waiting", "argument": "payload.days=7"},
    )
    details = await client.get(f"/api/v1/jobs/{found}/details", headers=operator.headers)

    assert [job["id"] for job in answer.json()["data"]] == [str(found)]
    assert details.json()["payload"] == {"days": 7}
    assert details.json()["can_cancel"] is True


@pytest.mark.parametrize(
    "query",
    [
        {"state": "waiting", "argument": "days"},
        {"state": "waiting", "cursor": "x"},
        {"state": "finished", "argument": "days=7"},
    ],
    ids=["argument", "cursor", "finished"],
)
async def test_an_invalid_filter_is_explained(
    client: httpx2.AsyncClient, operator: Person, query: dict[str, str]
) -> None:
    answer = await client.get("/api/v1/jobs/", headers=operator.headers, params=query)

    assert answer.status_code == 400
    assert answer.json()["detail"]


async def test_dead_letters_are_retried_in_the_background_by_filter(
    client: httpx2.AsyncClient, resources: Resources, operator: Person
) -> None:
    await add_dead_letter(resources, Paint(), error="OSError: no paint")
    groups = await client.get("/api/v1/dead-letters/groups", headers=operator.headers)

    answer = await client.post(
        "/api/v1/dead-letters/retry",
        headers=operator.headers,
        json={"reason": "paint came", "error_class": "OSError"},
    )

    assert [(group["error_class"], group["count"]) for group in groups.json()] == [("OSError", 1)]
    assert answer.status_code == 202
    job = await client.get(answer.headers["Location"], headers=operator.headers)
    assert (job.json()["name"], job.json()["state"]) == ("ChangeDeadLetters", "queued")
    assert await events(resources) == [("dead_letters.retry_requested", "paint came")]


async def test_a_job_is_canceled_for_a_reason(
    client: httpx2.AsyncClient, resources: Resources, operator: Person
) -> None:
    job_id = await enqueue(resources, Paint())

    answer = await client.post(
        f"/api/v1/jobs/{job_id}/cancel", headers=operator.headers, json={"reason": "wrong color"}
    )

    assert answer.status_code == 200
    assert (await control.queue_overview(resources.reader, resources.queues, BASE.name)).due == 0
    assert await events(resources) == [("job.canceled", "wrong color")]
