"""Jobs as rows: what a transaction asked for, kept until its effect has committed.

A row is written by the transaction that asks for the job and removed by the one that holds its
effect. In between it may be sent to Redis any number of times; a queue takes an id once. The row
of a job that failed for good stays, as a dead letter.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    Row,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import metadata
from app.core.envelope import Envelope
from app.core.exceptions import Conflict
from app.core.job_record import JobRecord, JobState
from app.core.queue import Queue

BATCH = 500

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("queue", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("key", String(255)),
    Column("request_id", String(64)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("due_at", DateTime(timezone=True)),
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    # The process that commits a job sends it; a sweeper looks after it from this time on.
    Column(
        "check_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now() + interval '5 seconds'"),
    ),
    Column("failed_at", DateTime(timezone=True)),
    Column("attempts", Integer),
    Column("crashes", Integer),
    Column("error", Text),
    Column("traceback", Text),
)
alive = outbox.c.failed_at.is_(None)
Index("ix_outbox_queue_check_at", outbox.c.queue, outbox.c.check_at, postgresql_where=alive)
Index("uq_outbox_key", outbox.c.key, unique=True, postgresql_where=alive)


class JobAlive(Conflict):
    """A job of the same key is waiting or running."""

    def __init__(self, key: str, job_id: UUID | None) -> None:
        super().__init__(f"A job with the key {key!r} is under way: {job_id}")
        self.job_id = job_id


async def keep(session: AsyncSession, jobs: Iterable[tuple[Envelope, str | None]]) -> None:
    """Write jobs, each with its key. Raises IntegrityError for a key that is taken."""
    rows = [
        {
            "id": job.id,
            "queue": job.queue,
            "name": job.name,
            "payload": job.payload,
            "key": key,
            "request_id": job.request_id,
            "due_at": job.due_at,
            "priority": job.priority,
        }
        for job, key in jobs
    ]
    if rows:
        await session.execute(insert(outbox), rows)


async def remove(session: AsyncSession, job_id: UUID) -> bool:
    """Remove the row of a job that is done; False when somebody else was first."""
    removed = await session.execute(
        delete(outbox).where(outbox.c.id == job_id, alive).returning(outbox.c.id)
    )
    return removed.scalar_one_or_none() is not None


async def remove_all(session: AsyncSession, job_ids: Iterable[UUID]) -> set[UUID]:
    """Remove the rows of jobs that are done; return those where nobody else was first."""
    removed = await session.execute(
        delete(outbox).where(outbox.c.id.in_(job_ids), alive).returning(outbox.c.id)
    )
    return set(removed.scalars())


async def is_alive(session: AsyncSession, job_id: UUID) -> bool:
    """Tell whether a job still waits for its effect."""
    found = await session.execute(select(outbox.c.id).where(outbox.c.id == job_id, alive))
    return found.scalar_one_or_none() is not None


async def bury(  # noqa: PLR0913  a dead letter has as many parts
    session: AsyncSession,
    job: Envelope,
    *,
    attempts: int,
    crashes: int,
    error: str,
    traceback: str | None,
) -> None:
    """Turn a job that failed for good into a dead letter, also one that never had a row.

    One that had a row and has none any more is left alone: its effect has committed, by another
    worker or before a crash, or it was cancelled. A retry of it would be one too many.
    """
    letter = {
        "failed_at": func.clock_timestamp(),
        "attempts": attempts,
        "crashes": crashes,
        "error": error,
        "traceback": traceback,
    }
    if job.kept:
        await session.execute(update(outbox).where(outbox.c.id == job.id).values(letter))
        return
    row = insert(outbox).values(
        id=job.id,
        queue=job.queue,
        name=job.name,
        payload=job.payload,
        request_id=job.request_id,
        **letter,
    )
    await session.execute(row.on_conflict_do_update(index_elements=[outbox.c.id], set_=letter))


async def take_overdue(session: AsyncSession, queue: Queue) -> list[Envelope]:
    """Take up to BATCH rows that are to be looked after, each by one sweeper only.

    Young rows are looked after again in ten seconds, old ones less and less often: the id of a
    job that waits or runs is refused by its queue, and asking costs little.
    """
    overdue = (
        select(outbox.c.id)
        .where(outbox.c.queue == queue.name, alive, outbox.c.check_at <= func.now())
        .order_by(outbox.c.check_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    age = func.least(func.now() - outbox.c.created_at, text("interval '5 minutes'"))
    rows = await session.execute(
        update(outbox)
        .where(outbox.c.id.in_(overdue))
        .values(check_at=func.now() + func.greatest(age, text("interval '10 seconds'")))
        .returning(outbox)
    )
    return [envelope_of(row) for row in rows]


def envelope_of(row: Row[Any]) -> Envelope:
    """Put a job of which the whole row was read into its envelope again."""
    return Envelope(
        id=row.id,
        queue=row.queue,
        name=row.name,
        payload=row.payload,
        request_id=row.request_id,
        due_at=row.due_at,
        priority=row.priority,
        kept=True,
    )


async def check_now(session: AsyncSession, queue: Queue) -> None:
    """Have all jobs of a queue looked after at once."""
    await _check_now(session, outbox.c.queue == queue.name)


async def hasten(session: AsyncSession, job_ids: Sequence[UUID]) -> None:
    """Have these jobs looked after at once."""
    await _check_now(session, outbox.c.id.in_(job_ids))


async def _check_now(session: AsyncSession, chosen: ColumnElement[bool]) -> None:
    await session.execute(update(outbox).where(chosen, alive).values(check_at=func.now()))


async def find_alive(session: AsyncSession, key: str) -> UUID | None:
    """Tell which job holds a key."""
    found = await session.execute(select(outbox.c.id).where(outbox.c.key == key, alive))
    return found.scalar_one_or_none()


async def find(session: AsyncSession, job_id: UUID) -> JobRecord | None:
    """Tell how a job stands that is not on its queue: not sent yet, or a dead letter."""
    row = (await session.execute(select(outbox).where(outbox.c.id == job_id))).one_or_none()
    if row is None:
        return None
    return JobRecord(
        id=row.id,
        queue=row.queue,
        name=row.name,
        state=_state(row.failed_at, row.due_at),
        attempt=row.attempts or 0,
        progress=None,
        enqueued_at=row.created_at,
        scheduled_for=row.due_at,
        finished_at=row.failed_at,
        error=row.error,
    )


def _state(failed_at: datetime | None, due_at: datetime | None) -> JobState:
    if failed_at:
        return JobState.FAILED
    return JobState.SCHEDULED if due_at and due_at > datetime.now(UTC) else JobState.QUEUED
