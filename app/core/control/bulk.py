"""Dead letters in groups, and what is done with all that match a filter."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, String, func, literal_column, select
from sqlalchemy.exc import DBAPIError

from app.core.control.found_jobs import JobFilter, JobView, Place, SearchTooBroad
from app.core.control.queues import find_queue
from app.core.control.retries import BATCH, discard_batch, retry_batch
from app.core.control.search_rows import LIMIT_TIME, ORDERS, QUERY_CANCELED, conditions_of
from app.core.database import Sessions
from app.core.exceptions import BadRequest
from app.core.job_store.outbox import outbox
from app.core.postgres.failures import sqlstate_of
from app.core.queue import QueuePools

MOST_GROUPS = 100

TIME_LIMIT = 5.0
"""Seconds for one statement about all dead letters."""

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
    """What became of the dead letters so far.

    One is refused while a worker holds the job, while another job has its key, and when its queue
    is not in the code.
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
    wanted = JobFilter(state=JobView.DEAD, queue=queue, name=name)
    # Without parameters: PostgreSQL compares the text of what is grouped with what is selected.
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
        .where(*_matching(wanted))
        .group_by(outbox.c.queue, outbox.c.name, error_class)
        .order_by(func.count().desc(), outbox.c.queue, outbox.c.name)
        .limit(MOST_GROUPS)
    )
    rows = await _read(sessions, groups)
    return [DeadLetterGroup(**row._mapping) for row in rows]  # noqa: SLF001  its documented name


async def count_matching(sessions: Sessions, wanted: JobFilter) -> int:
    """Count the dead letters that match. Raises SearchTooBroad, DatabaseUnavailable."""
    count = select(func.count()).select_from(outbox).where(*_matching(wanted))
    [row] = await _read(sessions, count)
    return int(row[0])


async def change_dead_letters(
    sessions: Sessions,
    queues: QueuePools,
    action: BulkAction,
    wanted: JobFilter,
    on_progress: OnProgress | None = None,
) -> BulkResult:
    """Retry or discard all dead letters that match, the oldest first.

    Those that fail while this runs are left out, so that a job that fails at once is not retried
    forever. A second call goes on where an interrupted one ended.

    Raises OnlyDeadLetters, SensitiveArgument, SearchTooBroad, QueueUnavailable,
    DatabaseUnavailable. Some may have been changed then.
    """
    if wanted.state is not JobView.DEAD:
        raise OnlyDeadLetters
    wanted.check()
    wanted = replace(wanted, until=wanted.until or datetime.now(UTC))
    result = BulkResult(action=action, total=await count_matching(sessions, wanted))
    after: Place | None = None
    while letters := await _next(sessions, wanted, after):
        done = await _change(sessions, queues, action, letters)
        refused = len(letters) - done
        result = replace(result, done=result.done + done, refused=result.refused + refused)
        if on_progress is not None:
            await on_progress(result)
        after = Place(letters[-1].failed_at, letters[-1].id)
    return result


async def _change(
    sessions: Sessions, queues: QueuePools, action: BulkAction, letters: Sequence[Row[Any]]
) -> int:
    if action is BulkAction.DISCARD:
        return await discard_batch(sessions, [letter.id for letter in letters])
    known = {queue.name for queue in queues}
    by_queue: defaultdict[str, list[UUID]] = defaultdict(list)
    for letter in letters:
        by_queue[letter.queue].append(letter.id)
    return sum(
        [
            await retry_batch(sessions, queues, find_queue(queues, name), by_queue[name])
            for name in by_queue.keys() & known
        ]
    )


async def _next(sessions: Sessions, wanted: JobFilter, after: Place | None) -> Sequence[Row[Any]]:
    letters = (
        select(outbox.c.id, outbox.c.queue, outbox.c.failed_at)
        .where(*_matching(wanted, after))
        .order_by(outbox.c.failed_at, outbox.c.id)
        .limit(BATCH)
    )
    return await _read(sessions, letters)


def _matching(wanted: JobFilter, after: Place | None = None) -> list[ColumnElement[bool]]:
    conditions = [*conditions_of(wanted, OLDEST_FIRST, after)]
    if wanted.queue is not None:
        conditions.append(outbox.c.queue == wanted.queue)
    return conditions


async def _read(sessions: Sessions, statement: Select[*tuple[Any, ...]]) -> Sequence[Row[Any]]:
    """Read rows within the time limit. Raises SearchTooBroad."""
    async with sessions() as session:
        await session.execute(LIMIT_TIME, {"limit": f"{TIME_LIMIT * 1000:.0f}"})
        try:
            return (await session.execute(statement)).all()
        except DBAPIError as error:
            if sqlstate_of(error.orig) == QUERY_CANCELED:
                raise SearchTooBroad(TIME_LIMIT) from error
            raise
