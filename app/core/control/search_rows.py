"""Search for the jobs that have rows: waiting and scheduled jobs, and dead letters.

Each queue is read along an index in the order of the page, so that the last page costs as much as
the first. Filters without an index are checked row by row, within a time limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Row,
    Select,
    Uuid,
    func,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.exc import DBAPIError

from app.core.control.found_jobs import FoundJob, JobFilter, JobView, Position, SearchTooBroad
from app.core.control.row_counts import QUEUES
from app.core.database import Sessions
from app.core.job_store.outbox import alive, alive_in_order, outbox
from app.core.postgres.failures import sqlstate_of

SET_TIMEOUT = text("SELECT set_config('statement_timeout', :limit, true)")
QUERY_CANCELED = "57014"

COLUMNS = (
    *(outbox.c.id, outbox.c.queue, outbox.c.name, outbox.c.attempts, outbox.c.created_at),
    *(outbox.c.due_at, outbox.c.failed_at, outbox.c.check_at, outbox.c.error, outbox.c.request_id),
)
"""The columns of a list, without tracebacks and payloads, which can be long."""

IS_DUE = or_(outbox.c.due_at.is_(None), outbox.c.due_at <= func.now())


@dataclass(frozen=True, slots=True)
class Order:
    """The rows of a state, the time by which they are sorted, and the time that filters compare.

    The columns of the order have an index.
    """

    condition: ColumnElement[bool]
    sort_time: ColumnElement[datetime]
    filter_time: ColumnElement[datetime]
    descending: bool = True


ORDERS = {
    JobView.WAITING: Order(alive_in_order & IS_DUE, outbox.c.check_at, outbox.c.created_at),
    JobView.SCHEDULED: Order(
        alive & outbox.c.due_at.is_not(None) & (outbox.c.due_at > func.now()),
        outbox.c.due_at,
        outbox.c.due_at,
        descending=False,
    ),
    JobView.DEAD: Order(~alive, outbox.c.failed_at, outbox.c.failed_at),
}


async def read_rows(
    sessions: Sessions,
    filters: JobFilter,
    after: Position | None,
    limit: int,
    time_limit: float,
) -> list[tuple[Position, FoundJob]]:
    """Return the next rows in the order of their state. Raises SearchTooBroad."""
    order = ORDERS[filters.state]
    rows = await read_in_time(sessions, _statement(filters, order, after, limit), time_limit)
    return [(Position(row.sort_time, row.id), _found(row, filters.state)) for row in rows]


async def read_in_time(
    sessions: Sessions, statement: Select[*tuple[Any, ...]], seconds: float
) -> Sequence[Row[Any]]:
    """Run a statement within a time limit, and return its rows. Raises SearchTooBroad."""
    async with sessions() as session:
        await session.execute(SET_TIMEOUT, {"limit": f"{seconds * 1000:.0f}"})
        try:
            return (await session.execute(statement)).all()
        except DBAPIError as error:
            if sqlstate_of(error.orig) == QUERY_CANCELED:
                raise SearchTooBroad(seconds) from error
            raise


def conditions_of(
    filters: JobFilter, order: Order, after: Position | None = None
) -> Sequence[ColumnElement[bool]]:
    """Return the conditions on the rows of a page, except for the one on their queue."""
    conditions = [order.condition]
    if after is not None:
        row = tuple_(order.sort_time, outbox.c.id)
        last = tuple_(literal(after.time, DateTime(timezone=True)), literal(after.id, Uuid))
        conditions.append(row < last if order.descending else row > last)
    if filters.name is not None:
        conditions.append(outbox.c.name == filters.name)
    if filters.request_id is not None:
        conditions.append(outbox.c.request_id == filters.request_id)
    if filters.since is not None:
        conditions.append(order.filter_time >= filters.since)
    if filters.until is not None:
        conditions.append(order.filter_time < filters.until)
    if filters.error_class is not None:
        conditions.append(func.split_part(outbox.c.error, ":", 1) == filters.error_class)
    for path, value in filters.arguments.items():
        conditions.append(outbox.c.payload[tuple(path.split("."))].astext == value)
    return conditions


def _statement(
    filters: JobFilter, order: Order, after: Position | None, limit: int
) -> Select[*tuple[Any, ...]]:
    """Read each queue along its index, and merge the results."""
    page = (
        select(*COLUMNS, order.sort_time.label("sort_time"))
        .where(outbox.c.queue == QUEUES.c.queue, *conditions_of(filters, order, after))
        .order_by(*_sorted(order, order.sort_time, outbox.c.id))
        .limit(limit)
        .correlate(QUEUES)
        .lateral("page")
    )
    merged = select(page).select_from(QUEUES.join(page, true()))
    if filters.queue is not None:
        merged = merged.where(QUEUES.c.queue == filters.queue)
    return merged.order_by(*_sorted(order, page.c.sort_time, page.c.id)).limit(limit)


def _sorted(order: Order, *columns: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
    return [column.desc() if order.descending else column.asc() for column in columns]


def _found(row: Row[Any], state: JobView) -> FoundJob:
    return FoundJob(
        id=row.id,
        queue=row.queue,
        name=row.name,
        state=state.value,
        attempt=row.attempts,
        enqueued_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.failed_at,
        error=row.error,
        request_id=row.request_id,
    )
