"""Counts of each queue's rows in the outbox, up to a limit, in one statement."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    String,
    func,
    literal_column,
    or_,
    select,
    union,
)

from app.core.job_store.outbox import HORIZON, alive, alive_in_order, outbox
from app.core.postgres.reader import Reader

MAX_COUNT = 10_000
"""The highest exact count. Counting stops there, so it takes only milliseconds."""

SAMPLE_SIZE = 100
"""The first rows, among which the oldest is searched. Their order is that of enqueueing, except for
jobs that are due within minutes."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number, which is a lower bound unless it `is_exact`."""

    value: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.value:,}" if self.is_exact else f"{self.value:,}+"

    def plus(self, exact: int) -> "Count":
        return Count(self.value + exact, self.is_exact)

    @classmethod
    def bounded(cls, counted: int) -> "Count":
        """Return the count for a number that was counted up to the limit."""
        return cls(min(counted, MAX_COUNT), is_exact=counted <= MAX_COUNT)

    @classmethod
    def sum(cls, counts: Iterable["Count"]) -> "Count":
        counts = [*counts]
        return cls(sum(each.value for each in counts), all(each.is_exact for each in counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """The rows of a queue: dead letters, and jobs that have not completed.

    Jobs that are due beyond the horizon are not yet in Redis. `oldest_age` is the time in seconds
    since the oldest job became due.
    """

    dead: Count = Count(0)
    alive: Count = Count(0)
    beyond_horizon: Count = Count(0)
    oldest_age: float | None = None


NO_ROWS = RowCounts()


def queues_with(condition: ColumnElement[bool]) -> Select[str]:
    """Select the queues that have such rows.

    This skips through an index from queue to queue, so the number of rows does not matter.
    """
    first = select(func.min(outbox.c.queue).label("queue")).where(condition)
    named = first.cte(recursive=True)
    following = (
        select(func.min(outbox.c.queue))
        .where(condition, outbox.c.queue > named.c.queue)
        .scalar_subquery()
    )
    named = named.union_all(select(following).where(named.c.queue.is_not(None)))
    return select(named.c.queue).where(named.c.queue.is_not(None))


def _counted(
    queue: ColumnElement[str], *conditions: ColumnElement[bool], along: ColumnElement[datetime]
) -> ColumnElement[int]:
    """Count rows along an index.

    Without an order, PostgreSQL may scan a table that has not been vacuumed from its start, where
    many rows do not match.
    """
    rows = (
        select(outbox.c.id)
        .where(outbox.c.queue == queue, *conditions)
        .order_by(along, outbox.c.id)
        .limit(literal_column(str(MAX_COUNT + 1)))
        .correlate(QUEUES)
        .subquery()
    )
    return select(func.count()).select_from(rows).scalar_subquery()


def _oldest_age(queue: ColumnElement[str]) -> ColumnElement[float]:
    first = (
        select(outbox.c.created_at, outbox.c.due_at)
        .where(outbox.c.queue == queue, alive_in_order)
        .order_by(outbox.c.check_at, outbox.c.id)
        .limit(literal_column(str(SAMPLE_SIZE)))
        .correlate(QUEUES)
        .subquery()
    )
    was_due = func.greatest(first.c.created_at, first.c.due_at)
    return (
        select(func.extract("epoch", func.now() - func.min(was_due)).cast(Float))
        .where(or_(first.c.due_at.is_(None), first.c.due_at <= func.now()))
        .scalar_subquery()
    )


QUEUES = union(queues_with(alive_in_order), queues_with(~alive)).subquery("queues")
_QUEUE = QUEUES.c.queue
COUNTS = select(
    _QUEUE.cast(String),
    _counted(_QUEUE, ~alive, along=outbox.c.failed_at).label("dead"),
    _counted(_QUEUE, alive_in_order, along=outbox.c.check_at).label("alive"),
    _counted(_QUEUE, alive, outbox.c.due_at > func.now() + HORIZON, along=outbox.c.due_at).label(
        "beyond"
    ),
    _oldest_age(_QUEUE).label("oldest_age"),
)


async def count_rows(reader: Reader) -> dict[str, RowCounts]:
    """Count the rows of each queue that has any. Raises DatabaseUnavailable."""
    return {
        queue: RowCounts(
            dead=Count.bounded(dead),
            alive=Count.bounded(alive_rows),
            beyond_horizon=Count.bounded(beyond),
            oldest_age=age,
        )
        for queue, dead, alive_rows, beyond, age in await reader.all(COUNTS)
    }
