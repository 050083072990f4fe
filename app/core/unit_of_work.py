"""One transaction, and the jobs that are sent once it has committed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import NamedTuple, Self, TypeVar, TypeVarTuple
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Insert, Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningDelete

from app.core.broker.message import Envelope
from app.core.exceptions import AppError
from app.core.job_store.enqueued import EnqueuedJobs, OnConflict
from app.core.postgres.deferred import Deferred
from app.core.postgres.statements import compiled
from app.core.postgres.transaction import Transaction
from app.core.queue import Job, QueuePools, to_message
from app.core.telemetry.messaging import Sending, sending

TIME_SLICE = 0.0001
"""Seconds of work between two turns of other tasks. A request needs about ten turns."""

Columns = TypeVarTuple("Columns")
Model = TypeVar("Model", bound=BaseModel)


class Row(NamedTuple):
    """A row that is inserted at the end of the transaction."""

    statement: str
    arguments: Sequence[object]


class UnitOfWork:
    """The transaction that services write through. They flush and never commit.

    `async with` commits at the end, or rolls back after an exception. The transaction connects at
    its first statement, so a request that hashes a password before that holds no connection. Jobs
    become rows of the same transaction and are sent after its commit, so no network call happens
    inside it.
    """

    def __init__(self, transaction: Transaction, queues: QueuePools) -> None:
        self.ended = False
        self._transaction = transaction
        self._queues = queues
        self._rows: Deferred[Row] | None = None
        self._jobs: EnqueuedJobs | None = None
        self._commits_on_refusal = False
        self._calls_after_commit: list[Callable[[], Awaitable[None]]] = []

    @property
    def session(self) -> AsyncSession:
        """The session of the transaction. It connects at its first statement."""
        return self._transaction.session

    @property
    def jobs(self) -> EnqueuedJobs:
        """The jobs of the transaction, which are sent after its commit."""
        if self._jobs is None:
            self._jobs = EnqueuedJobs(self._transaction)
        return self._jobs

    async def first(
        self, statement: Select[*Columns] | ReturningDelete[*Columns], /, **parameters: object
    ) -> tuple[*Columns] | None:
        """Return the first row of a SELECT, or of a DELETE … RETURNING, or None if there is none.

        Write the statement as a constant, like one of a Reader. The driver runs it. It sees what
        the transaction has written, and may lock rows.
        """
        query = compiled(statement)
        records = await self._transaction.fetch(query, parameters)
        return query.row(records[0]) if records else None

    async def insert(self, model: type[Model], statement: Insert, /, **values: object) -> Model:
        """Insert a row with these values, and return it as a model. A column may be called `model`.

        The driver runs the statement, which is compiled once. With an object of the session, this
        would take twice as long.
        """
        inserted = await self.insert_unless_taken(model, statement, **values)
        assert inserted is not None
        return inserted

    async def insert_unless_taken(
        self, model: type[Model], statement: Insert, /, **values: object
    ) -> Model | None:
        """Insert a row, or return None if the statement skips it because of a unique index."""
        query = compiled(statement, tuple(values))
        records = await self._transaction.fetch(query, values)
        return model.model_validate(query.mapping(records[0])) if records else None

    def insert_at_end(self, statement: Insert, /, **values: object) -> None:
        """Insert a row at the end of the transaction, together with others of its table.

        The rollback of a savepoint removes its rows.
        """
        if self._rows is None:
            self._rows = Deferred(self._transaction)
        query = compiled(statement, tuple(values))
        self._rows.append(Row(query.text, query.arguments(values)))

    async def insert_deferred(self) -> None:
        """Insert the rows of `insert_at_end` now."""
        if self._rows is None:
            return
        rows_of = defaultdict[str, list[Sequence[object]]](list)
        for row in self._rows:
            rows_of[row.statement].append(row.arguments)
        self._rows.clear()
        for statement, rows in rows_of.items():
            await self._transaction.insert(statement, rows)

    def enqueue(  # noqa: PLR0913  each is an option of its own
        self,
        job: Job,
        *,
        delay: timedelta | None = None,
        at: datetime | None = None,
        key: str | None = None,
        on_conflict: OnConflict = "raise",
        priority: int = 0,
    ) -> UUID:
        """Enqueue a job with this transaction, and return its id.

        The job is sent after the commit. If the transaction or the savepoint around this call is
        rolled back, the job never existed. It is due after `delay`, `at` a time, or at once. A job
        with a `priority` goes ahead of every job that has waited less than this many minutes.

        Only one job with the same `key` can wait or run. Another one raises JobAlive, here or at
        the end of the transaction. With `on_conflict="ignore"`, it is left out instead, and its id
        may belong to no job.

        Raises RuntimeError after the end of this unit of work, and ValueError for a job that
        cannot be stored, naming its field. To enqueue thousands of jobs, use `enqueue_many`.
        """
        if self.ended:
            raise RuntimeError(
                f"This unit of work has ended: {type(job).__name__} would be lost. "
                "Enqueue it before the end, or open another unit of work"
            )
        message = to_message(job, delay=delay, at=at, priority=priority, durable=True)
        return self.jobs.add(message, key=key, on_conflict=on_conflict)

    async def enqueue_many(
        self,
        jobs: Iterable[Job],
        *,
        delay: timedelta | None = None,
        at: datetime | None = None,
        priority: int = 0,
    ) -> list[UUID]:
        """Enqueue jobs with the same options, and return their ids in order.

        Other requests continue meanwhile, which they could not during a loop around `enqueue`. If
        `jobs` is a generator, this includes the creation of the jobs. Raises what `enqueue` raises.
        """
        job_ids: list[UUID] = []
        began = time.monotonic()
        for job in jobs:
            job_ids.append(self.enqueue(job, delay=delay, at=at, priority=priority))
            if time.monotonic() - began >= TIME_SLICE:
                await asyncio.sleep(0)
                began = time.monotonic()
        return job_ids

    def commit_on_refusal(self) -> None:
        """Commit even when an AppError leaves, so that what led to the refusal is recorded.

        Call it when nothing that was written so far must be undone. Later writes that a refusal
        must undo belong inside `session.begin_nested()`. Any other exception rolls everything back.
        """
        self._commits_on_refusal = True

    def after_commit(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await a call after this transaction has committed. After a rollback, drop it."""
        self._calls_after_commit.append(call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended = True
        commits = error is None or (self._commits_on_refusal and isinstance(error, AppError))
        if self._transaction.is_used:
            with sending(self._jobs if commits else None) as sent:
                messages = await self._end(sent, commits=commits)
                if failure := await self._queues.post_stored(messages):
                    sent.fail(failure)
        if commits:
            for call in self._calls_after_commit:
                await call()

    async def _end(self, sent: Sending, *, commits: bool) -> Sequence[Envelope]:
        """Commit or roll back, and return the jobs to send now that no connection is held."""
        try:
            if not commits:
                return []
            messages = [] if self._jobs is None else await self._jobs.store(sent)
            await self.insert_deferred()
            await self._transaction.commit()
            return messages
        finally:
            await self._transaction.close()
