"""Groups of dead letters, and actions on all that match a filter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control import BulkAction, BulkResult, JobFilter, JobView
from app.core.control.retries import BATCH
from app.core.job_store.record import JobState
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.worker.settings import worker_settings
from app.schemas.jobs import ChangeDeadLetters
from app.workers import jobs as handlers
from tests.core.control.jobs import (
    MANY_DEAD_LETTERS,
    Paint,
    Write,
    add_dead_letter,
    enqueue,
    job_of,
)
from tests.support.workers import RunWorker

DEAD = JobFilter(state=JobView.DEAD)


async def change(
    resources: Resources, action: BulkAction, wanted: JobFilter = DEAD
) -> tuple[BulkResult, list[str]]:
    """Change dead letters, and return the result and the progress messages."""
    shown: list[str] = []

    async def show(result: BulkResult) -> None:
        shown.append(f"{result.fraction:.2f}: {result}")

    result = await control.change_dead_letters(
        resources.sessions, resources.queues, action, wanted, show
    )
    return result, shown


async def left(resources: Resources) -> int:
    return (await control.overview(resources.reader, resources.queues)).dead.value


async def test_dead_letters_are_grouped_by_class_and_error(resources: Resources) -> None:
    for error in ("OSError: one", "OSError: two", "LookupError: three"):
        await add_dead_letter(resources, Paint(), error=error)
    await add_dead_letter(resources, Write(), error="OSError: four")

    groups = await control.group_dead_letters(resources.sessions)

    assert [(each.queue, each.name, each.error_class, each.count) for each in groups] == [
        ("base", "Paint", "OSError", 2),
        ("base", "Paint", "LookupError", 1),
        ("email", "Write", "OSError", 1),
    ]
    assert groups[0].first_failed_at <= groups[0].last_failed_at
    [group] = await control.group_dead_letters(resources.sessions, queue="email")
    assert group.name == "Write"


async def test_everything_that_matches_is_retried_and_nothing_else(resources: Resources) -> None:
    chosen = [await add_dead_letter(resources, Paint(), error="OSError: x") for _ in range(3)]
    other = await add_dead_letter(resources, Paint(), error="LookupError: x")

    result, shown = await change(resources, BulkAction.RETRY, replace(DEAD, error_class="OSError"))

    assert str(result) == "3 retried, 0 refused"
    assert shown == ["1.00: 3 retried, 0 refused"]
    assert {(await job_of(resources, job_id)).state for job_id in chosen} == {JobState.QUEUED}
    assert (await job_of(resources, other)).state is JobState.FAILED


async def test_a_dead_letter_whose_key_is_taken_is_refused(resources: Resources) -> None:
    await add_dead_letter(resources, Paint(), key="wall")
    await add_dead_letter(resources, Paint())
    await enqueue(resources, Paint(), key="wall")

    result, _ = await change(resources, BulkAction.RETRY)

    assert str(result) == "1 retried, 1 refused"


async def test_held_jobs_and_older_jobs_with_the_same_key_are_refused(resources: Resources) -> None:
    held, keyless = [await add_dead_letter(resources, Paint()) for _ in range(2)]
    older, newer = [await add_dead_letter(resources, Paint(), key="wall") for _ in range(2)]
    await resources.queues[BASE].set(QueueKeys(BASE).in_progress(held), "w/1/1")

    result, _ = await change(resources, BulkAction.RETRY)

    assert str(result) == "2 retried, 2 refused"
    letters = await control.list_dead_letters(resources.sessions)
    assert {letter.id for letter in letters.data} == {held, older}
    assert await states(resources, keyless, newer) == [JobState.QUEUED, JobState.QUEUED]


async def test_many_dead_letters_are_discarded_in_batches(resources: Resources) -> None:
    async with resources.sessions.begin() as session:
        await session.execute(MANY_DEAD_LETTERS, {"rows": 2 * BATCH + 1})

    result, shown = await change(resources, BulkAction.DISCARD)

    assert str(result) == "1,001 discarded, 0 refused"
    assert [line.partition(":")[0] for line in shown] == ["0.50", "1.00", "1.00"]
    assert await left(resources) == 0


async def test_a_job_that_fails_during_the_retry_is_left_alone(resources: Resources) -> None:
    job_id = await add_dead_letter(resources, Paint())
    async with resources.sessions.begin() as session:
        await session.execute(
            text("UPDATE outbox SET failed_at = now() + interval '1 minute' WHERE id = :id"),
            {"id": job_id},
        )

    result, _ = await change(resources, BulkAction.RETRY)

    assert (result.total, result.done) == (0, 0)


async def test_only_dead_letters_are_changed(resources: Resources) -> None:
    with pytest.raises(control.OnlyDeadLetters):
        await change(resources, BulkAction.DISCARD, JobFilter(state=JobView.WAITING))


async def test_a_job_retries_dead_letters_and_says_how_many(
    committing_resources: Resources, run_worker: RunWorker
) -> None:
    resources = committing_resources
    dead = await add_dead_letter(resources, Paint())
    kept = await add_dead_letter(resources, Write())
    until = datetime.now(UTC) + timedelta(minutes=1)
    job_id = await enqueue(resources, ChangeDeadLetters(action="retry", name="Paint", until=until))

    worker = worker_settings(
        BASE, handlers=[handlers.change_dead_letters], settings=resources.settings
    )
    await run_worker(worker, jobs=1, using=resources)

    assert await states(resources, dead, kept) == [JobState.QUEUED, JobState.FAILED]
    job = await job_of(resources, job_id)
    assert job.result == {"done": 1, "refused": 0, "summary": "1 retried, 0 refused"}
    assert job.progress == 1


async def states(resources: Resources, *job_ids: UUID) -> list[JobState]:
    return [(await job_of(resources, job_id)).state for job_id in job_ids]
