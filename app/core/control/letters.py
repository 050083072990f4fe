"""Dead letters: the rows of jobs that failed for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Row, func, select

from app.core.exceptions import NotFound
from app.core.outbox import alive, outbox
from app.core.queue import Queue
from app.core.resources import Resources

dead = ~alive

COLUMNS = [
    outbox.c[name]
    for name in ("id", "queue", "name", "attempts", "crashes", "created_at", "failed_at", "error")
]
"""What a list shows: without tracebacks and payloads, which can be long."""


class DeadLetterNotFound(NotFound):
    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"There is no dead letter {job_id}: the job did not fail for good, or its letter was "
            "retried or discarded"
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


async def dead_letters(
    resources: Resources,
    *,
    queue: Queue | None = None,
    kind: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> DeadLetterPage:
    """List dead letters, newest first; `kind` is the name of a job. Raises DatabaseUnavailable."""
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
    async with resources.unit_of_work() as uow:
        rows = await uow.session.execute(newest)
        count = await uow.session.scalar(
            select(func.count()).select_from(outbox).where(*conditions)
        )
    return DeadLetterPage([DeadLetter(**_fields(row)) for row in rows], count or 0)


async def dead_letter(resources: Resources, job_id: UUID) -> DeadLetterDetails:
    """Show a dead letter. Raises DeadLetterNotFound, DatabaseUnavailable."""
    async with resources.unit_of_work() as uow:
        found = await uow.session.execute(select(outbox).where(outbox.c.id == job_id, dead))
    if (row := found.one_or_none()) is None:
        raise DeadLetterNotFound(job_id)
    return DeadLetterDetails(
        **_fields(row),
        payload=row.payload,
        key=row.key,
        request_id=row.request_id,
        traceback=row.traceback,
    )


async def dead_kinds(resources: Resources) -> dict[str, int]:
    """Count the dead letters of each kind of job. Raises DatabaseUnavailable."""
    kinds = select(outbox.c.name, func.count().label("letters")).where(dead).group_by(outbox.c.name)
    async with resources.unit_of_work() as uow:
        return {row.name: row.letters for row in await uow.session.execute(kinds)}


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
