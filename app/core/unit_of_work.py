"""One transaction, and the jobs that leave once it has committed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import outbox
from app.core.database import Sessions
from app.core.envelope import Envelope
from app.core.exceptions import DatabaseUnavailable
from app.core.queue import Job, QueuePools, address

log = structlog.stdlib.get_logger(__name__)


class UnitOfWork:
    """What a service needs to say what should happen. Services flush; they never commit."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.jobs: list[tuple[Envelope, str | None]] = []

    def enqueue(
        self,
        job: Job,
        *,
        delay: timedelta | None = None,
        at: datetime | None = None,
        key: str | None = None,
        priority: int = 0,
    ) -> UUID:
        """Have a job done once this transaction has committed; after a rollback it never was.

        It is due after `delay`, `at` a time, or at once. With a `key`, the transaction fails with
        outbox.JobAlive while an earlier job of that key waits or runs. A job with a `priority`
        goes ahead of all that has waited less than so many minutes.
        """
        envelope = address(job, delay=delay, at=at, priority=priority, kept=True)
        self.jobs.append((envelope, key))
        return envelope.id


@asynccontextmanager
async def unit_of_work(sessions: Sessions, queues: QueuePools) -> AsyncIterator[UnitOfWork]:
    """Open a transaction; commit it at the end, or roll it back when an exception passes.

    Its jobs become rows of the same transaction. They are sent after the connection has gone back
    to its pool, so that no network call happens inside a transaction.
    """
    async with sessions.begin() as session:
        uow = UnitOfWork(session)
        yield uow
        await _keep_jobs(uow, sessions)
    await _post([envelope for envelope, _ in uow.jobs], queues, sessions)


async def _keep_jobs(uow: UnitOfWork, sessions: Sessions) -> None:
    try:
        await outbox.keep(uow.session, uow.jobs)
    except IntegrityError as error:
        async with sessions() as session:
            for key in (key for _, key in uow.jobs if key is not None):
                if (job_id := await outbox.find_alive(session, key)) is not None:
                    raise outbox.JobAlive(key, job_id) from error
        raise


async def _post(envelopes: Sequence[Envelope], queues: QueuePools, sessions: Sessions) -> None:
    """Send what has become rows; what Redis does not take is left to the sweepers."""
    try:
        await queues.post(envelopes)
    except (RedisError, OSError) as error:
        left = [envelope.id for envelope in envelopes]
        log.warning("jobs.not_sent_yet", job_ids=[*map(str, left)], error=str(error))
        await _hasten(left, sessions)


async def _hasten(job_ids: Sequence[UUID], sessions: Sessions) -> None:
    """Let the sweepers send them when Redis is back, and not when a dead sender would be noticed.

    What has committed stays committed: without this they are sent some seconds later.
    """
    try:
        async with sessions.begin() as session:
            await outbox.hasten(session, job_ids)
    except (DatabaseUnavailable, SQLAlchemyError, OSError) as error:
        log.warning("jobs.not_hastened", job_ids=[*map(str, job_ids)], error=str(error))
