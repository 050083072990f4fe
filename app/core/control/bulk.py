"""Groups of dead letters, and retries or discards of all that match a filter."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, func, literal_column, select

from app.core.control.found_jobs import JobFilter, JobView, Position
from app.core.control.queues import find_queue
from app.core.control.retries import BATCH, discard_batch, retry_batch
from app.core.control.search_rows import ORDERS, conditions_of, read_in_time
from app.core.database import Sessions
from app.core.exceptions import BadRequest
from app.core.job_store.outbox import outbox
from app.core.queue import QueuePools

MAX_GROUPS = 100

TIME_LIMIT = 5.0
"""Seconds that one statement over all dead letters may take."""

OLDEST_FIRST = replace(ORDERS[JobView.DEAD], descending=False)

OnProgress = Callable[["BulkResult"], Awaitable[None]]


class BulkAction(StrEnum):
    RETRY = "retry"
    DISCARD = "discard"


class OnlyDeadLetters(BadRequest):
    def __init__(self) -> None:
        super().__init__("Only dead letters can be retried or discarded")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterGroup:
    """The dead letters of one job class that failed with one class of error."""

    queue: str
    name: str
    error_class: str
    count: int
    first_failed_at: datetime
    last_failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """The result of a bulk action so far.

    A dead letter is refused while a worker holds the job or another job has its key, or if its
    queue is not in the code.
    """

    action: BulkAction
    total: int
    done: int = 0
    refused: int = 0

    @property
    def fraction(self) -> float:
        return min(1.0, (self.done + self.refused) / self.total) if self.total else 1.0

    def __str__(self) -> str:
        did = "retried" if self.action is BulkAction.RETRY else "discarded"
        return f"{self.done:,} {did}, {self.refused:,} refused"


async def group_dead_letters(
    sessions: Sessions, *, queue: str | None = None, name: str | None = None
) -> list[DeadLetterGroup]:
    """Group dead letters by queue, class, and error, the largest group first.

    Raises SearchTooBroad, DatabaseUnavailable.
    """
    filters = JobFilter(state=JobView.DEAD, queue=queue, name=name)
    # Literals, not parameters: PostgreSQL must see the same expression in SELECT and GROUP BY.
    error_class = literal_column("split_part(coalesce(outbox.error, ''), ':', 1)", String)
    groups = (
        select(
            outbox.c.queue,
            outbox.c.name,
            error_class.label("error_class"),
            func.count().label("count"),
            func.min(outbox.c.failed_at).label("first_failed_at"),
            func.max(outbox.c.failed_at).label("last_failed_at"),
        )
        .where(*_matching(filters))
        .group_by(outbox.c.queue, outbox.c.name, error_class)
        .order_by(func.count().desc(), outbox.c.queue, outbox.c.name)
        .limit(MAX_GROUPS)
    )
    rows = await read_in_time(sessions, groups, TIME_LIMIT)
    return [DeadLetterGroup(**row._mapping) for row in rows]  # noqa: SLF001  its documented name


async def count_matching(sessions: Sessions, filters: JobFilter) -> int:
    """Count the dead letters that match. Raises SearchTooBroad, DatabaseUnavailable."""
    count = select(func.count()).select_from(outbox).where(*_matching(filters))
    [row] = await read_in_time(sessions, count, TIME_LIMIT)
    return int(row[0])


async def change_dead_letters(
    sessions: Sessions,
    queues: QueuePools,
    action: BulkAction,
    filters: JobFilter,
    on_progress: OnProgress | None = None,
) -> BulkResult:
    """Retry or discard all dead letters that match, the oldest first.

    Jobs that fail while this runs are ignored, so that a job that fails at once is not retried
    forever. A second call continues after an interrupted one.

    Raises OnlyDeadLetters, SensitiveArgument, SearchTooBroad, QueueUnavailable, or
    DatabaseUnavailable. Some dead letters may have been changed by then.
    """
    if filters.state is not JobView.DEAD:
        raise OnlyDeadLetters
    filters.check()
    filters = replace(filters, until=filters.until or datetime.now(UTC))
    result = BulkResult(action=action, total=await count_matching(sessions, filters))
    after: Position | None = None
    while dead_letters := await _next_batch(sessions, filters, after):
        done = await _change_batch(sessions, queues, action, dead_letters)
        refused = len(dead_letters) - done
        result = replace(result, done=result.done + done, refused=result.refused + refused)
        if on_progress is not None:
            await on_progress(result)
        after = Position(dead_letters[-1].failed_at, dead_letters[-1].id)
    return result


async def _change_batch(
    sessions: Sessions, queues: QueuePools, action: BulkAction, dead_letters: Sequence[Row[Any]]
) -> int:
    if action is BulkAction.DISCARD:
        return await discard_batch(sessions, [dead_letter.id for dead_letter in dead_letters])
    known = {queue.name for queue in queues}
    by_queue: defaultdict[str, list[UUID]] = defaultdict(list)
    for dead_letter in dead_letters:
        by_queue[dead_letter.queue].append(dead_letter.id)
    return sum(
        [
            await retry_batch(sessions, queues, find_queue(queues, name), by_queue[name])
            for name in by_queue.keys() & known
        ]
    )


async def _next_batch(
    sessions: Sessions, filters: JobFilter, after: Position | None
) -> Sequence[Row[Any]]:
    dead_letters = (
        select(outbox.c.id, outbox.c.queue, outbox.c.failed_at)
        .where(*_matching(filters, after))
        .order_by(outbox.c.failed_at, outbox.c.id)
        .limit(BATCH)
    )
    return await read_in_time(sessions, dead_letters, TIME_LIMIT)


def _matching(filters: JobFilter, after: Position | None = None) -> list[ColumnElement[bool]]:
    conditions = [*conditions_of(filters, OLDEST_FIRST, after)]
    if filters.queue is not None:
        conditions.append(outbox.c.queue == filters.queue)
    return conditions
