"""The audit trail records the changes of operators on the command line, with their reasons."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import select

from app.cli.scope import operator
from app.core.resources import Resources
from app.models import AuditEvent
from app.schemas.jobs import BuildSignupReport
from tests.cli.results import RunCommand
from tests.core.control.crons import working
from tests.core.control.jobs import add_dead_letter, enqueue
from tests.support.ports import CLOSED_PORT

WHY = ("--reason", "the database is slow")


async def events_of(resources: Resources) -> list[AuditEvent]:
    async with resources.sessions() as session:
        return [*await session.scalars(select(AuditEvent).order_by(AuditEvent.id))]


@pytest.mark.parametrize(
    ("words", "event", "details"),
    [
        (("queues", "pause", "base"), "queue.paused", {"queue": "base"}),
        (("queues", "resume", "base"), "queue.resumed", {"queue": "base"}),
        (("queues", "rate", "base", "2.5"), "queue.limited", {"queue": "base", "rate": 2.5}),
        (
            ("queues", "concurrency", "base", "3"),
            "queue.limited",
            {"queue": "base", "concurrency": 3},
        ),
    ],
    ids=["pause", "resume", "rate", "concurrency"],
)
async def test_a_change_of_a_queue_is_recorded(
    resources: Resources,
    run_command: RunCommand,
    words: Sequence[str],
    event: str,
    details: dict[str, object],
) -> None:
    done = await run_command(*words, *WHY)

    assert (done.code, done.errors) == (0, "")
    [recorded] = await events_of(resources)
    assert (recorded.event, recorded.actor_id, recorded.ip_address) == (event, None, "command line")
    assert recorded.details == {"operator": operator(), "reason": WHY[1], **details}


@pytest.mark.parametrize(
    ("action", "event"),
    [("retry", "job.retried"), ("discard", "job.discarded"), ("cancel", "job.canceled")],
)
async def test_a_change_of_a_job_is_recorded(
    resources: Resources, run_command: RunCommand, action: str, event: str
) -> None:
    job_id = await (enqueue if action == "cancel" else add_dead_letter)(
        resources, BuildSignupReport()
    )
    done = await run_command("jobs", action, str(job_id))

    assert done.code == 0
    [recorded] = await events_of(resources)
    assert (recorded.event, recorded.details["job_id"]) == (event, str(job_id))
    assert recorded.details["operator"] == operator()
    assert "reason" not in recorded.details


@pytest.mark.parametrize("action", ["retry", "discard"])
async def test_a_change_of_many_jobs_is_recorded_before_it_begins(
    resources: Resources, run_command: RunCommand, action: str
) -> None:
    await add_dead_letter(resources, BuildSignupReport())
    done = await run_command("jobs", action, "--all", "BuildSignupReport", *WHY)

    assert done.code == 0
    [recorded] = await events_of(resources)
    assert recorded.event == f"dead_letters.{action}_requested"
    assert recorded.details["filter"] == {"name": "BuildSignupReport"}
    assert (recorded.details["operator"], recorded.details["reason"]) == (operator(), WHY[1])


async def test_a_cron_that_is_run_by_hand_is_recorded(
    resources: Resources, run_command: RunCommand
) -> None:
    async with working(resources):
        ran = await run_command("crons", "run", "nightly", "--json", *WHY)

    [recorded] = await events_of(resources)
    assert UUID(str(recorded.details.pop("job_id"))) == UUID(ran.json["id"])
    assert recorded.event == "cron.run"
    assert recorded.details == {"operator": operator(), "reason": WHY[1], "cron": "nightly"}


async def test_a_failed_command_leaves_no_event(
    resources: Resources, run_command: RunCommand
) -> None:
    assert (await run_command("queues", "pause", "retired")).code == 1
    assert (await run_command("jobs", "cancel", str(UUID(int=1)))).code == 1
    assert await events_of(resources) == []


async def test_a_queue_is_paused_even_if_no_event_can_be_stored(run_command: RunCommand) -> None:
    down = f"postgresql://u:p@127.0.0.1:{CLOSED_PORT}/db"
    paused = await run_command("queues", "pause", "base", DATABASE_URL=down)

    assert paused.output.startswith("base is paused")
    assert paused.errors.startswith(f"PostgreSQL at 127.0.0.1:{CLOSED_PORT} does not answer")
    assert paused.code == 1


async def test_a_reason_is_one_line_of_limited_length(run_command: RunCommand) -> None:
    refused = await run_command("queues", "pause", "base", "--reason", "x" * 201)

    assert refused.code == 2
    assert "a reason is one line of 1 to 200 characters" in refused.errors
