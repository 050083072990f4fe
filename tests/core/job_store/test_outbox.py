import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from app.core.broker.keys import QueueKeys
from app.core.job_store import outbox
from app.core.queue import BASE, QueuePools, to_message
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport

KEYS = QueueKeys(BASE)

# PostgreSQL refuses this without a unique index whose condition the statement names or implies.
INSERT_OF_VERSION_0_1_0 = text(
    "INSERT INTO outbox (id, queue, name, payload, key) "
    "VALUES (:id, :queue, :name, :payload, :key) "
    "ON CONFLICT (key) WHERE failed_at IS NULL DO NOTHING RETURNING outbox.id"
)


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits several connections can see."""
    return committing_resources


async def rows(resources: Resources) -> int:
    async with resources.database.sessions() as session:
        return await session.scalar(select(func.count()).select_from(outbox.outbox)) or 0


async def test_a_job_becomes_a_row_of_the_transaction_that_enqueues_it(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(BuildSignupReport(days=3))
        assert await rows(resources) == 0

    async with resources.database.sessions() as session:
        record = await outbox.find(session, job_id)
    assert record is not None
    assert (record.queue, record.name, record.state) == ("base", "BuildSignupReport", "queued")


@pytest.mark.parametrize("option", ["delay", "at"])
async def test_a_scheduled_job_keeps_its_time(
    resources: Resources, queues: QueuePools, option: str
) -> None:
    delay = timedelta(minutes=9)
    async with resources.unit_of_work() as uow:
        if option == "delay":
            job_id = uow.enqueue(BuildSignupReport(), delay=delay)
        else:
            job_id = uow.enqueue(BuildSignupReport(), at=datetime.now(UTC) + delay)

    due = await queues[BASE].zscore(KEYS.queue, str(job_id))
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


@pytest.mark.parametrize(("durable", "letters"), [(True, 0), (False, 1)])
async def test_a_late_failure_of_a_completed_job_is_not_a_dead_letter(
    resources: Resources, durable: bool, letters: int
) -> None:
    """The effect has committed, so a retry of a dead letter would repeat it."""
    job = to_message(BuildSignupReport(), durable=durable)
    async with resources.database.sessions.begin() as session:
        await outbox.dead_letter(session, job, attempts=3, crashes=3, error="late", traceback=None)

    assert await rows(resources) == letters


async def test_during_a_deploy_both_versions_see_the_keys_of_each_other(
    resources: Resources,
) -> None:
    def row(key: str) -> dict[str, object]:
        job = to_message(BuildSignupReport(), durable=True)
        payload = json.dumps(job.payload)
        return {"id": job.id, "queue": job.queue, "name": job.name, "payload": payload, "key": key}

    async with resources.database.sessions.begin() as session:
        await session.execute(INSERT_OF_VERSION_0_1_0, row("of the old version"))
    async with resources.unit_of_work() as uow:
        uow.enqueue(BuildSignupReport(), key="of the new version")

    with pytest.raises(outbox.JobAlive):
        async with resources.unit_of_work() as uow:
            uow.enqueue(BuildSignupReport(), key="of the old version")
    async with resources.database.sessions.begin() as session:
        inserted = await session.execute(INSERT_OF_VERSION_0_1_0, row("of the new version"))
    assert inserted.scalar_one_or_none() is None
