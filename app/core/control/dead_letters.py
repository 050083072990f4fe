"""Lists of dead letters, which are the rows of jobs that failed for good, and their details."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Row, func, select

from app.core.broker.sensitive import hide_sensitive
from app.core.database import Sessions
from app.core.exceptions import NotFound
from app.core.job_store.outbox import alive, outbox
from app.core.queue import Queue, find_job_class

dead = ~alive

COLUMNS = [
    outbox.c[name]
    for name in ("id", "queue", "name", "attempts", "crashes", "created_at", "failed_at", "error")
]
"""The columns of a list, without tracebacks and payloads, which can be long."""


class DeadLetterNotFound(NotFound):
    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"There is no dead letter {job_id}: the job did not fail for good, or its dead letter "
            "was retried or discarded"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A job that failed for good. `attempts` counts its tries, `crashes` the workers it killed."""

    id: UUID
    queue: str
    name: str
    attempts: int
    crashes: int
    enqueued_at: datetime
    failed_at: datetime
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterDetails(DeadLetter):
    payload: dict[str, JsonValue]
    key: str | None
    request_id: str | None
    traceback: str | None


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    data: Sequence[DeadLetter]
    count: int


async def list_dead_letters(
    sessions: Sessions,
    *,
    queue: Queue | None = None,
    kind: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> DeadLetterPage:
    """List dead letters, newest first. `kind` is the name of a job class.

    Raises DatabaseUnavailable.
    """
    conditions: list[ColumnElement[bool]] = [dead]
    if queue is not None:
        conditions.append(outbox.c.queue == queue.name)
    if kind is not None:
        conditions.append(outbox.c.name == kind)
    newest = (
        select(*COLUMNS)
        .where(*conditions)
        .order_by(outbox.c.failed_at.desc(), outbox.c.id)
        .limit(limit)
        .offset(offset)
    )
    async with sessions() as session:
        rows = await session.execute(newest)
        count = await session.scalar(select(func.count()).select_from(outbox).where(*conditions))
    return DeadLetterPage([DeadLetter(**_fields(row)) for row in rows], count or 0)


async def get_dead_letter(sessions: Sessions, job_id: UUID) -> DeadLetterDetails:
    """Return everything about a dead letter except sensitive arguments.

    Raises DeadLetterNotFound or DatabaseUnavailable.
    """
    async with sessions() as session:
        found = await session.execute(select(outbox).where(outbox.c.id == job_id, dead))
    if (row := found.one_or_none()) is None:
        raise DeadLetterNotFound(job_id)
    return DeadLetterDetails(
        **_fields(row),
        payload=hide_sensitive(find_job_class(row.name), row.payload),
        key=row.key,
        request_id=row.request_id,
        traceback=row.traceback,
    )


async def count_dead_letters(sessions: Sessions) -> dict[str, int]:
    """Count the dead letters of each job class. Raises DatabaseUnavailable."""
    counts = select(outbox.c.name, func.count().label("jobs")).where(dead).group_by(outbox.c.name)
    async with sessions() as session:
        return {row.name: row.jobs for row in await session.execute(counts)}


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "queue": row.queue,
        "name": row.name,
        "attempts": row.attempts or 0,
        "crashes": row.crashes or 0,
        "enqueued_at": row.created_at,
        "failed_at": row.failed_at,
        "error": row.error or "",
    }
