"""Find the jobs that have rows: those that wait, and dead letters.

Each queue is read along an index, in the order of the page, so that a page costs the same at the
beginning and at the end. A filter that no index knows is checked row by row, within a time limit.
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

from app.core.control.found_jobs import FoundJob, JobFilter, JobView, Place, SearchTooBroad
from app.core.control.row_counts import QUEUES
from app.core.database import Sessions
from app.core.job_store.outbox import alive, outbox
from app.core.postgres.failures import sqlstate_of

LIMIT_TIME = text("SELECT set_config('statement_timeout', :limit, true)")
QUERY_CANCELED = "57014"

COLUMNS = (
    *(outbox.c.id, outbox.c.queue, outbox.c.name, outbox.c.attempts, outbox.c.created_at),
    *(outbox.c.due_at, outbox.c.failed_at, outbox.c.check_at, outbox.c.error, outbox.c.request_id),
)
"""The columns of a list. Tracebacks and payloads can be long."""

IS_DUE = or_(outbox.c.due_at.is_(None), outbox.c.due_at <= func.now())


@dataclass(frozen=True, slots=True)
class Order:
    """The rows of a state, the moment by which they are listed, and which moment filters ask for.

    The columns of the order are those of an index.
    """

    condition: ColumnElement[bool]
    moment: ColumnElement[datetime]
    filtered: ColumnElement[datetime]
    descending: bool = True


ORDERS = {
    JobView.WAITING: Order(alive & IS_DUE, outbox.c.check_at, outbox.c.created_at),
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
    wanted: JobFilter,
    after: Place | None,
    limit: int,
    time_limit: float,
) -> list[tuple[Place, FoundJob]]:
    """Return the next rows in the order of their state. Raises SearchTooBroad."""
    order = ORDERS[wanted.state]
    async with sessions() as session:
        await session.execute(LIMIT_TIME, {"limit": f"{time_limit * 1000:.0f}"})
        try:
            rows = (await session.execute(_statement(wanted, order, after, limit))).all()
        except DBAPIError as error:
            if sqlstate_of(error.orig) == QUERY_CANCELED:
                raise SearchTooBroad(time_limit) from error
            raise
    return [(Place(row.place, row.id), _found(row, wanted.state)) for row in rows]


def _statement(
    wanted: JobFilter, order: Order, after: Place | None, limit: int
) -> Select[*tuple[Any, ...]]:
    """Read each queue along its index, and merge what they have."""
    page = (
        select(*COLUMNS, order.moment.label("place"))
        .where(outbox.c.queue == QUEUES.c.queue, *conditions_of(wanted, order, after))
        .order_by(*_sorted(order, order.moment, outbox.c.id))
        .limit(limit)
        .correlate(QUEUES)
        .lateral("page")
    )
    merged = select(page).select_from(QUEUES.join(page, true()))
    if wanted.queue is not None:
        merged = merged.where(QUEUES.c.queue == wanted.queue)
    return merged.order_by(*_sorted(order, page.c.place, page.c.id)).limit(limit)


def _sorted(order: Order, *columns: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
    return [column.desc() if order.descending else column.asc() for column in columns]


def conditions_of(
    wanted: JobFilter, order: Order, after: Place | None = None
) -> Sequence[ColumnElement[bool]]:
    """Return what the rows of a page have in common, apart from their queue."""
    conditions = [order.condition]
    if after is not None:
        here = tuple_(order.moment, outbox.c.id)
        place = tuple_(literal(after.moment, DateTime(timezone=True)), literal(after.id, Uuid))
        conditions.append(here < place if order.descending else here > place)
    if wanted.name is not None:
        conditions.append(outbox.c.name == wanted.name)
    if wanted.request_id is not None:
        conditions.append(outbox.c.request_id == wanted.request_id)
    if wanted.since is not None:
        conditions.append(order.filtered >= wanted.since)
    if wanted.until is not None:
        conditions.append(order.filtered < wanted.until)
    if wanted.error_class is not None:
        conditions.append(func.split_part(outbox.c.error, ":", 1) == wanted.error_class)
    for path, value in wanted.arguments.items():
        conditions.append(outbox.c.payload[tuple(path.split("."))].astext == value)
    return conditions


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
