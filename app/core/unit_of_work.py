"""One transaction, and the jobs that leave once it has committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.database import Sessions
from app.core.queue import Job, QueuePools

log = structlog.stdlib.get_logger(__name__)


class UnitOfWork:
    """What a service needs to say what should happen. Services flush; they never commit."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.jobs: dict[UUID, Job] = {}

    def enqueue(self, job: Job) -> UUID:
        """Have a job leave with the commit; nothing leaves when the transaction is rolled back."""
        job_id = uuid7()
        self.jobs[job_id] = job
        return job_id


@asynccontextmanager
async def unit_of_work(sessions: Sessions, queues: QueuePools) -> AsyncIterator[UnitOfWork]:
    """Open a transaction; commit it at the end, or roll it back when an exception passes.

    The jobs are sent after the connection has gone back to its pool, so that no network call
    happens inside a transaction.
    """
    async with sessions.begin() as session:
        uow = UnitOfWork(session)
        yield uow
    for job_id, job in uow.jobs.items():
        await _send(queues, job, job_id)


async def _send(queues: QueuePools, job: Job, job_id: UUID) -> None:
    try:
        await queues.send(job, job_id=job_id)
    except (RedisError, OSError) as error:
        # The transaction has committed: telling the caller that it failed would be a lie.
        log.error(  # noqa: TRY400  the traceback would only show redis-py's connection code
            "job.not_sent", job=type(job).__name__, job_id=str(job_id), error=str(error)
        )
