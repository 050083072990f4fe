"""Reads the outbox in order without missing a row and without writing to rows.

A reader reads the rows of a queue in the order of `check_at`. A transaction that commits late may
add rows before the reader's position. Each page therefore lists the transactions in progress. When
one of them has ended, the reader goes back to the first position where its rows can be. A
transaction that no page has listed began after the last page. Its rows are due at least GRACE after
that page, so the next page ends there.
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
from app.core.job_store.outbox import GRACE, alive_by_id, alive_in_order, message_of, outbox
from app.core.postgres.reader import Reader
from app.core.queue import Queue

PAGE_SIZE = 500


class Position(NamedTuple):
    """A position in the order of the rows."""

    check_at: datetime
    id: UUID

    @classmethod
    def before(cls, moment: datetime) -> "Position":
        return cls(moment, UUID(int=0))


START = Position.before(datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that are due for a check at `taken_at`, a time of the database's clock."""

    taken_at: datetime
    in_progress: frozenset[int]
    rows: Sequence[Position]
    end: Position

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The position up to which the rows of a queue have been read, for any reader to continue.

    All rows before the position have been read, except those of transactions that were in progress
    at the last read. `in_progress` maps their ids to the earliest `check_at` of their rows.
    """

    position: Position = START
    looked_at: datetime | None = None
    in_progress: Mapping[int, datetime] = field(default_factory=dict)

    @classmethod
    def parse(cls, stored: bytes | None) -> "Bookmark":
        """Return a stored bookmark, or the start if there is none or it is unreadable."""
        try:
            return _BOOKMARK.validate_json(stored or b"")
        except ValidationError:
            return cls()

    def serialize(self) -> bytes:
        return _BOOKMARK.dump_json(self)

    @property
    def until(self) -> datetime:
        """The end of the next page. Later rows may belong to transactions that are still unknown.

        The first check of a row is due GRACE after its insert. A transaction that was not in
        progress at the last read has inserted its rows since then, so they are due after this time.
        """
        return self.looked_at + GRACE if self.looked_at else self.position.check_at

    def moved(self, page: Page) -> "Bookmark":
        """Return the bookmark after a page, or at the rows of a transaction that has ended."""
        ended = self.in_progress.keys() - page.in_progress
        starts = [Position.before(self.in_progress[each]) for each in ended]
        return Bookmark(
            position=min([page.end, *starts]),
            looked_at=page.taken_at,
            in_progress={each: self.in_progress.get(each, self.until) for each in page.in_progress},
        )


_BOOKMARK = TypeAdapter(Bookmark)

NOW = func.statement_timestamp(type_=DateTime(timezone=True))
locks = table("pg_locks", *map(column, ("locktype", "transactionid", "mode", "granted")))
# Every transaction that has written holds a lock on its own id, which is visible to every role.
IN_PROGRESS = select(cast(cast(locks.c.transactionid, String), BigInteger)).where(
    locks.c.locktype == "transactionid", locks.c.mode == "ExclusiveLock", locks.c.granted
)
NEXT_ROWS = (
    select(outbox.c.check_at, outbox.c.id)
    .where(
        outbox.c.queue == bindparam("queue", type_=String),
        alive_in_order,
        tuple_(outbox.c.check_at, outbox.c.id)
        > tuple_(bindparam("check_at", type_=outbox.c.check_at.type), bindparam("id", type_=Uuid)),
        outbox.c.check_at <= func.least(NOW, bindparam("until", type_=outbox.c.check_at.type)),
    )
    .order_by(outbox.c.check_at, outbox.c.id)
    .limit(bindparam("page", type_=Integer))
    .subquery()
)
# One statement, because idle workers run it all the time. It returns at least one row.
POLL = select(
    NOW.label("taken_at"),
    func.array(IN_PROGRESS.scalar_subquery(), type_=ARRAY(BigInteger)).label("in_progress"),
    NEXT_ROWS.c.check_at,
    NEXT_ROWS.c.id,
).select_from(select(literal(1)).subquery().outerjoin(NEXT_ROWS, true()))

# The same text for any number of rows, which is prepared once. IN (…) would vary with the number.
ALIVE_AMONG = (
    select(outbox)
    .where(outbox.c.id == any_(bindparam("job_ids", type_=ARRAY(Uuid))), alive_by_id)
    .order_by(outbox.c.check_at)
)


async def read_page(
    reader: Reader, queue: Queue, after: Position, until: datetime | None = None
) -> Page:
    """Return the next rows of a queue that are due for a check now, and not after `until`."""
    parameters = {**after._asdict(), "queue": queue.name, "until": until, "page": PAGE_SIZE}
    found = await reader.all(POLL, **parameters)
    taken_at, in_progress, *_ = found[0]
    rows = [Position(check_at, job_id) for *_, check_at, job_id in found if job_id]
    last = Position.before(min(taken_at, until or taken_at))
    return Page(
        taken_at=taken_at,
        in_progress=frozenset(in_progress),
        rows=rows,
        end=rows[-1] if len(rows) >= PAGE_SIZE else max(after, last),
    )


async def read_messages(connection: AsyncConnection, job_ids: Sequence[UUID]) -> list[Envelope]:
    """Return the messages of the jobs that are still alive."""
    rows = await connection.execute(ALIVE_AMONG, {"job_ids": job_ids})
    return [message_of(row) for row in rows]
