"""Reading the outbox in order, so that no row is missed and none is written.

A reader walks through the rows of a queue in the order of `check_at`. It must not pass a row that
commits late: the row of a transaction that is in progress becomes visible behind the reader. Each
page therefore says which transactions are in progress. When one of them has ended, the reader steps
back to where its rows can be. A transaction that no page has named began after the last page. Its
rows are due later than that by the grace of a row, and a page ends there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Integer,
    String,
    Uuid,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    table,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.broker.message import Envelope
from app.core.job_store.outbox import GRACE, alive, message_of, outbox
from app.core.postgres.reader import Reader
from app.core.queue import Queue

PAGE = 500
"""Rows that are read at once."""


class Position(NamedTuple):
    """A place in the order of the rows."""

    check_at: datetime
    id: UUID

    @classmethod
    def before(cls, moment: datetime) -> "Position":
        return cls(moment, UUID(int=0))


START = Position.before(datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that are due for a check, at a moment of the database's clock. `end` is behind them."""

    taken_at: datetime
    in_progress: frozenset[int]
    rows: Sequence[Position]
    end: Position

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= PAGE


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far the rows of a queue have been read, so that any reader can go on from there.

    All rows before the position have been read, except those of the transactions that were in
    progress at the last look. The mapping has their ids, each with the moment behind which their
    rows can be.
    """

    position: Position = START
    looked_at: datetime | None = None
    in_progress: Mapping[int, datetime] = field(default_factory=dict)

    @classmethod
    def parse(cls, stored: bytes | None) -> "Bookmark":
        """Return a stored bookmark, the start if there is none or if it cannot be read."""
        try:
            return _BOOKMARK.validate_json(stored or b"")
        except ValidationError:
            return cls()

    def serialize(self) -> bytes:
        return _BOOKMARK.dump_json(self)

    @property
    def until(self) -> datetime:
        """Return how far a page may go. Later rows can be of transactions that are still unknown.

        A row is due for its first check some seconds after its insert. A transaction that was not
        in progress at the last look has inserted its rows since, and they are due after this.
        """
        return self.looked_at + GRACE if self.looked_at else self.position.check_at

    def moved(self, page: Page) -> "Bookmark":
        """Return where to go on: behind the page, or at the rows of a transaction that ended."""
        ended = self.in_progress.keys() - page.in_progress
        behind = [Position.before(self.in_progress[each]) for each in ended]
        return Bookmark(
            position=min([page.end, *behind]),
            looked_at=page.taken_at,
            in_progress={each: self.in_progress.get(each, self.until) for each in page.in_progress},
        )


_BOOKMARK = TypeAdapter(Bookmark)

NOW = func.statement_timestamp(type_=DateTime(timezone=True))
locks = table("pg_locks", *map(column, ("locktype", "transactionid", "mode", "granted")))
# Every transaction that has written holds a lock on its own id, which every role can see.
IN_PROGRESS = select(cast(cast(locks.c.transactionid, String), BigInteger)).where(
    locks.c.locktype == "transactionid", locks.c.mode == "ExclusiveLock", locks.c.granted
)
NEXT_ROWS = (
    select(outbox.c.check_at, outbox.c.id)
    .where(
        outbox.c.queue == bindparam("queue", type_=String),
        alive,
        tuple_(outbox.c.check_at, outbox.c.id)
        > tuple_(bindparam("check_at", type_=outbox.c.check_at.type), bindparam("id", type_=Uuid)),
        outbox.c.check_at <= func.least(NOW, bindparam("until", type_=outbox.c.check_at.type)),
    )
    .order_by(outbox.c.check_at, outbox.c.id)
    .limit(bindparam("page", type_=Integer))
    .subquery()
)
# One statement, because every worker asks this all the time. It has one row at least.
LOOK = select(
    NOW.label("taken_at"),
    func.array(IN_PROGRESS.scalar_subquery(), type_=ARRAY(BigInteger)).label("in_progress"),
    NEXT_ROWS.c.check_at,
    NEXT_ROWS.c.id,
).select_from(select(literal(1)).subquery().outerjoin(NEXT_ROWS, true()))

# One text for any number of rows, which is prepared once. IN (…) has one for each number.
ALIVE_AMONG = (
    select(outbox)
    .where(outbox.c.id == any_(bindparam("job_ids", type_=ARRAY(Uuid))), alive)
    .order_by(outbox.c.check_at)
)


async def read_page(
    reader: Reader, queue: Queue, after: Position, until: datetime | None = None
) -> Page:
    """Return the next rows of a queue that are due for a check now, and were at `until`."""
    parameters = {**after._asdict(), "queue": queue.name, "until": until, "page": PAGE}
    found = await reader.all(LOOK, **parameters)
    taken_at, in_progress, *_ = found[0]
    rows = [Position(check_at, job_id) for *_, check_at, job_id in found if job_id]
    last = Position.before(min(taken_at, until or taken_at))
    return Page(
        taken_at=taken_at,
        in_progress=frozenset(in_progress),
        rows=rows,
        end=rows[-1] if len(rows) >= PAGE else max(after, last),
    )


async def read_messages(connection: AsyncConnection, job_ids: Sequence[UUID]) -> list[Envelope]:
    """Return the messages of those jobs that are still alive."""
    rows = await connection.execute(ALIVE_AMONG, {"job_ids": job_ids})
    return [message_of(row) for row in rows]
