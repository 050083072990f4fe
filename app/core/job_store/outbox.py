"""The outbox: rows of jobs, from the transaction that enqueues them until their effect commits.

The transaction that enqueues a job inserts its row, and the transaction of the job's effect deletes
it. In between, the job may be sent to Redis any number of times, because a queue accepts an id only
once. The row of a job that failed for good stays as a dead letter.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Index,
    Integer,
    Row,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.broker.message import Envelope
from app.core.database import metadata
from app.core.exceptions import Conflict
from app.core.job_store.record import JobRecord, JobState
from app.core.postgres.driver import InsertRows, insert_on
from app.core.postgres.reader import Fetch
from app.core.postgres.statements import compiled

BATCH = 20
"""Rows per statement, which blocks the process for less than half a millisecond."""

GRACE = timedelta(seconds=2)
"""The time between the insert of a row and its check, in which the sender normally sends the job.
If the sender has died or did not reach Redis, the job waits this long."""

HORIZON = timedelta(minutes=10)
"""Jobs that are due later than this are not in Redis yet. The outbox relay sends them in time."""

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
    # The process that commits a job sends it. At this time, the outbox relay checks the row. The
    # value never changes, so a waiting job needs no update.
    Column(
        "check_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text(f"clock_timestamp() + interval '{GRACE.seconds} seconds'"),
    ),
    Column("failed_at", DateTime(timezone=True)),
    Column("attempts", Integer),
    Column("crashes", Integer),
    Column("error", Text),
    Column("traceback", Text),
    # The trace of the job. A trace id alone would not tell whether the trace is sampled.
    Column("traceparent", String(55)),
)
# Three forms of one condition, each for one way to the rows. Few rows are alive, so PostgreSQL
# takes any index whose condition it recognizes for tiny, and may read all of it. But the index also
# has the entries of deleted rows, which no vacuum removes while any transaction holds an older
# snapshot.
alive = outbox.c.failed_at.is_(None)
"""The condition of the indexes of keys and due times."""

alive_in_order = func.num_nulls(outbox.c.failed_at) == literal_column("1")
"""The condition of the index of `check_at`, for searches in its order."""

alive_by_id = func.num_nonnulls(outbox.c.failed_at) == literal_column("0")
"""The condition of no index, for searches by the primary key."""

has_key = and_(alive, outbox.c.key.is_not(None))
Index(
    "ix_outbox_alive_queue_check_at_id",
    *(outbox.c.queue, outbox.c.check_at, outbox.c.id),
    postgresql_where=alive_in_order,
)
# A new job has no `failed_at` and rarely a `due_at`, so these indexes do not slow down enqueueing.
Index(
    "ix_outbox_queue_failed_at_id",
    *(outbox.c.queue, outbox.c.failed_at, outbox.c.id),
    postgresql_where=~alive,
)
Index("ix_outbox_failed_at_id", outbox.c.failed_at, outbox.c.id, postgresql_where=~alive)
Index(
    "ix_outbox_queue_due_at_id",
    *(outbox.c.queue, outbox.c.due_at, outbox.c.id),
    postgresql_where=and_(alive, outbox.c.due_at.is_not(None)),
)
# Version 0.1.0 names the condition of this index in its INSERT. A later release can restrict the
# index to jobs with a key: the INSERT of this version names that condition and works with both.
Index("uq_outbox_key", outbox.c.key, unique=True, postgresql_where=alive)


_INSERT = insert(outbox)
# The same text for any number of rows, which is prepared once. IN (…) would vary with the number.
REMOVE_ALL = (
    delete(outbox)
    .where(outbox.c.id == any_(bindparam("job_ids", type_=ARRAY(Uuid))), alive_by_id)
    .returning(outbox.c.id)
)
REMOVE = (
    delete(outbox)
    .where(outbox.c.id == bindparam("job_id", type_=Uuid), alive_by_id)
    .returning(outbox.c.id)
)
FIND_ALIVE = select(outbox.c.id).where(outbox.c.id == bindparam("job_id", type_=Uuid), alive_by_id)

FIND_ALL = select(outbox).where(outbox.c.id == any_(bindparam("job_ids", type_=ARRAY(Uuid))))


class JobAlive(Conflict):
    """Another job with the same key is waiting or running."""

    def __init__(self, key: str, job_id: UUID | None) -> None:
        super().__init__(f"Another job with the key {key!r} is waiting or running: {job_id}")
        self.job_id = job_id


def is_beyond_horizon(due_at: datetime | None) -> bool:
    """Return whether a job is due so late that only PostgreSQL stores it."""
    return due_at is not None and due_at > datetime.now(UTC) + HORIZON


async def store(session: AsyncSession, jobs: Sequence[Envelope]) -> None:
    """Insert jobs without a key in the transaction of a session."""
    await insert_all(partial(insert_on, await session.connection()), jobs)


async def insert_all(insert_rows: InsertRows, jobs: Sequence[Envelope]) -> None:
    """Insert jobs without a key."""
    for first in range(0, len(jobs), BATCH):
        rows = [_row(job) for job in jobs[first : first + BATCH]]
        for is_later in (False, True):
            if same_columns := [row for row in rows if ("check_at" in row) is is_later]:
                query = compiled(_INSERT, tuple(same_columns[0]))
                await insert_rows(query.text, [query.arguments(row) for row in same_columns])


async def store_unless_key_is_taken(session: AsyncSession, job: Envelope, key: str) -> UUID | None:
    """Insert a job with a key. If another job has the key, insert nothing and return its id.

    If another transaction is inserting the same key, this waits until that transaction ends.
    """
    row = insert(outbox).values(**_row(job), key=key)
    unless_taken = row.on_conflict_do_nothing(
        index_elements=[outbox.c.key], index_where=has_key
    ).returning(outbox.c.id)
    while True:
        inserted = await session.execute(unless_taken)
        if inserted.scalar_one_or_none() is not None:
            return None
        # If the other job ends between the two statements, the key is free again.
        if holder := await find_by_key(session, key):
            return holder


async def remove(session: AsyncSession, job_id: UUID) -> bool:
    """Delete the row of a finished job. Return False if another transaction has deleted it."""
    removed = await session.execute(REMOVE, {"job_id": job_id})
    return removed.scalar_one_or_none() is not None


async def remove_all(fetch: Fetch, job_ids: Iterable[UUID]) -> set[UUID]:
    """Delete the rows of finished jobs. Return the ids of the rows that this call has deleted."""
    query = compiled(REMOVE_ALL)
    records = await fetch(query.text, query.arguments({"job_ids": [*job_ids]}))
    return {record[0] for record in records}


async def dead_letter(  # noqa: PLR0913  the parts of a dead letter
    session: AsyncSession,
    job: Envelope,
    *,
    attempts: int,
    crashes: int,
    error: str,
    traceback: str | None,
) -> None:
    """Turn a job into a dead letter, even if it never had a row.

    If the job had a row and the row is gone, this does nothing: the job was canceled, or its
    effect has committed in another worker or before a crash. A dead letter would allow a retry.
    """
    values = {
        "failed_at": func.clock_timestamp(),
        "attempts": attempts,
        "crashes": crashes,
        "error": error,
        "traceback": traceback,
    }
    if job.durable:
        await session.execute(update(outbox).where(outbox.c.id == job.id).values(values))
        return
    row = insert(outbox).values(
        id=job.id,
        queue=job.queue,
        name=job.name,
        payload=job.payload,
        request_id=job.request_id,
        traceparent=job.traceparent,
        **values,
    )
    await session.execute(row.on_conflict_do_update(index_elements=[outbox.c.id], set_=values))


def message_of(row: Row[Any]) -> Envelope:
    """Return the message of a job from its full row."""
    return Envelope(
        id=row.id,
        queue=row.queue,
        name=row.name,
        payload=row.payload,
        request_id=row.request_id,
        due_at=row.due_at,
        priority=row.priority,
        durable=True,
        traceparent=row.traceparent,
    )


async def find_by_key(session: AsyncSession, key: str) -> UUID | None:
    """Return the id of the waiting or running job that has a key."""
    found = await session.execute(select(outbox.c.id).where(outbox.c.key == key, alive))
    return found.scalar_one_or_none()


async def find(session: AsyncSession, job_id: UUID) -> JobRecord | None:
    """Return the state of a job according to its row: failed, scheduled, or queued."""
    return (await find_all(session, [job_id])).get(job_id)


async def find_all(session: AsyncSession, job_ids: Iterable[UUID]) -> dict[UUID, JobRecord]:
    """Return the states of the jobs that have a row."""
    rows = await session.execute(FIND_ALL, {"job_ids": list(job_ids)})
    return {row.id: _record(row) for row in rows}


def _row(job: Envelope) -> dict[str, object]:
    row: dict[str, object] = {
        "id": job.id,
        "queue": job.queue,
        "name": job.name,
        "payload": job.payload,
        "request_id": job.request_id,
        "due_at": job.due_at,
        "priority": job.priority,
        "traceparent": job.traceparent,
    }
    if job.due_at and is_beyond_horizon(job.due_at):
        row["check_at"] = job.due_at - HORIZON
    return row


def _record(row: Row[Any]) -> JobRecord:
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
