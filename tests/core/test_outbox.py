import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.core import outbox
from app.core.envelope import Envelope
from app.core.outbox import JobAlive
from app.core.queue import BASE, EMAIL, QueuePools, address
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport


@pytest.fixture
def resources(committing: Resources) -> Resources:
    """Commits that several connections see."""
    return committing


async def leave_behind(resources: Resources, *, jobs: int = 1) -> list[UUID]:
    """Commit jobs, die before they are sent, and let the time pass until somebody looks."""
    envelopes = [address(BuildSignupReport(days=day + 1), kept=True) for day in range(jobs)]
    async with resources.database.sessions.begin() as session:
        await outbox.keep(session, [(envelope, None) for envelope in envelopes])
        await session.execute(update(outbox.outbox).values(check_at=func.now()))
    return [envelope.id for envelope in envelopes]


async def take(resources: Resources) -> list[Envelope]:
    async with resources.database.sessions.begin() as session:
        return await outbox.take_overdue(session, BASE)


async def rows(resources: Resources) -> int:
    async with resources.database.sessions() as session:
        return await session.scalar(select(func.count()).select_from(outbox.outbox)) or 0


async def test_a_job_becomes_a_row_of_the_transaction_that_asks_for_it(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(BuildSignupReport(days=3))
        assert await rows(resources) == 0

    async with resources.database.sessions() as session:
        record = await outbox.find(session, job_id)
    assert record is not None
    assert (record.queue, record.name, record.state) == ("base", "BuildSignupReport", "queued")


async def test_what_was_left_behind_is_taken_with_all_that_it_needs(resources: Resources) -> None:
    [job_id] = await leave_behind(resources)

    [job] = await take(resources)

    assert (job.id, job.queue, job.name) == (job_id, "base", "BuildSignupReport")
    assert (job.payload, job.kept) == ({"days": 1}, True)


async def test_a_row_is_left_to_the_process_that_commits_it_for_some_seconds(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        uow.enqueue(BuildSignupReport())

    assert await take(resources) == []


async def test_a_row_is_not_taken_again_at_once(resources: Resources) -> None:
    await leave_behind(resources)

    assert len(await take(resources)) == 1
    assert await take(resources) == []


async def test_several_sweepers_never_take_the_same_row(resources: Resources) -> None:
    left = await leave_behind(resources, jobs=100)

    taken = await asyncio.gather(*(take(resources) for _ in range(5)))

    assert sorted(job.id for part in taken for job in part) == sorted(left)


async def test_a_queue_takes_its_own_rows_only(resources: Resources) -> None:
    await leave_behind(resources)

    async with resources.database.sessions.begin() as session:
        assert await outbox.take_overdue(session, EMAIL) == []


async def test_a_second_job_of_a_key_is_refused_while_the_first_is_alive(
    resources: Resources, queues: QueuePools
) -> None:
    async def enqueue() -> UUID:
        async with resources.unit_of_work() as uow:
            return uow.enqueue(BuildSignupReport(), key="nightly")

    first = await enqueue()
    with pytest.raises(JobAlive, match=f"'nightly'.*{first}") as refusal:
        await enqueue()
    assert refusal.value.job_id == first
    assert len(await queues[BASE].queued_jobs()) == 1

    async with resources.unit_of_work() as uow:
        assert await outbox.remove(uow.session, first)
    assert await enqueue() != first


async def test_of_simultaneous_jobs_with_one_key_one_is_kept(resources: Resources) -> None:
    async def enqueue() -> UUID:
        async with resources.unit_of_work() as uow:
            return uow.enqueue(BuildSignupReport(), key="nightly")

    outcomes = await asyncio.gather(*(enqueue() for _ in range(5)), return_exceptions=True)

    assert sorted(isinstance(outcome, JobAlive) for outcome in outcomes) == [False] + [True] * 4
    assert await rows(resources) == 1


@pytest.mark.parametrize(
    "when",
    [{"delay": timedelta(hours=1)}, {"at": datetime.now(UTC) + timedelta(hours=1)}],
    ids=["delay", "at"],
)
async def test_a_job_for_later_keeps_its_time(
    resources: Resources, queues: QueuePools, when: dict[str, object]
) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(BuildSignupReport(), **when)  # type: ignore[arg-type]

    due = await queues[BASE].zscore(BASE.key, str(job_id))
    async with resources.database.sessions() as session:
        record = await outbox.find(session, job_id)
    assert record is not None
    assert record.state == "scheduled"
    assert record.scheduled_for is not None
    assert due == pytest.approx(record.scheduled_for.timestamp() * 1000, abs=1)


async def test_a_job_is_due_either_after_a_delay_or_at_a_time(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        with pytest.raises(ValueError, match="not both"):
            uow.enqueue(BuildSignupReport(), delay=timedelta(1), at=datetime.now(UTC))
