"""The jobs that a transaction has enqueued, until it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import SessionTransaction

from app.core.broker.message import Envelope
from app.core.broker.payload import check_text
from app.core.job_store import outbox
from app.core.job_store.outbox import BATCH, JobAlive
from app.core.postgres.deferred import Deferred
from app.core.postgres.transaction import Transaction
from app.core.telemetry.messaging import Sending

MAX_KEY = 255

OnConflict = Literal["raise", "ignore"]
"""What to do when another job with the same key is waiting or running."""


@dataclass(frozen=True, slots=True)
class EnqueuedJob:
    message: Envelope
    key: str | None
    on_conflict: OnConflict


class JobsByKey(Deferred[EnqueuedJob]):
    """Jobs of a transaction, which it finds by their keys."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction)
        self._by_key: dict[str, EnqueuedJob] = {}

    def with_key(self, key: str) -> EnqueuedJob | None:
        return self._by_key.get(key)

    def append(self, job: EnqueuedJob) -> None:
        super().append(job)
        if job.key is not None:
            self._by_key[job.key] = job

    def remove_items_of(self, rolled_back: SessionTransaction) -> None:
        super().remove_items_of(rolled_back)
        self._by_key = {job.key: job for job in self if job.key is not None}


class EnqueuedJobs:
    """The jobs of one transaction. The rollback of a savepoint removes its jobs."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._jobs = JobsByKey(transaction)

    def __iter__(self) -> Iterator[Envelope]:
        return (job.message for job in self._jobs)

    def add(self, message: Envelope, *, key: str | None, on_conflict: OnConflict) -> UUID:
        """Add a job, and return its id.

        Raises JobAlive if this transaction has enqueued another job with the key, or InvalidJob
        for a key that cannot be stored.
        """
        if key is not None:
            check_text(message.name, "key", key, MAX_KEY)
            if holder := self._jobs.with_key(key):
                if on_conflict == "ignore":
                    return holder.message.id
                raise JobAlive(key, holder.message.id)
        self._jobs.append(EnqueuedJob(message, key, on_conflict))
        return message.id

    async def store(self, sending: Sending) -> list[Envelope]:
        """Insert the rows of the jobs, and return the messages to send after the commit.

        If another job with the same key is waiting or running, raise JobAlive or ignore the job,
        as its `on_conflict` says.
        """
        jobs = [*self._jobs]
        stored: list[Envelope] = []
        keyed: list[tuple[str, EnqueuedJob]] = []
        for first in range(0, len(jobs), BATCH):  # other tasks run in between
            batch = jobs[first : first + BATCH]
            if sending:
                batch = [replace(job, message=job.message.sent_in(sending)) for job in batch]
            unkeyed = [job.message for job in batch if job.key is None]
            await outbox.insert_all(self._transaction.insert, unkeyed)
            stored += unkeyed
            keyed += [(job.key, job) for job in batch if job.key is not None]
        # Sorted keys prevent a deadlock of two transactions that insert the same keys.
        for key, job in sorted(keyed, key=lambda pair: pair[0]):
            if await self._store_keyed(job, key):
                stored.append(job.message)
        return [each for each in stored if not outbox.is_beyond_horizon(each.due_at)]

    async def _store_keyed(self, job: EnqueuedJob, key: str) -> bool:
        session = self._transaction.session
        holder = await outbox.store_unless_key_is_taken(session, job.message, key)
        if holder and job.on_conflict == "raise":
            raise JobAlive(key, holder)
        return holder is None
