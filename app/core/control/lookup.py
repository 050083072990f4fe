"""The state of a job, from its row and from Redis: the only answer for the CLI and for HTTP."""

from asyncio import gather
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.control.queues import QueueUnavailable, queue_client
from app.core.database import Sessions
from app.core.exceptions import NotFound
from app.core.job_store import outbox
from app.core.job_store.live import read_job, read_jobs
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import Queue, QueuePools


class JobNotFound(NotFound):
    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"There is no job {job_id}: it never existed, or its result is no longer stored"
        )


async def find_job(session: AsyncSession, queues: QueuePools, job_id: UUID) -> JobRecord:
    """Return the state of a job.

    The row of a dead letter is enough, and so is the row of a job that is due beyond the horizon,
    even while Redis is down. For every other job Redis knows more than the row does.

    Raises JobNotFound, QueueUnavailable, DatabaseUnavailable.
    """
    stored = await outbox.find(session, job_id)
    if stored is None:
        found = await _find_in_redis(queues, list(queues), job_id)
    elif stored.state is JobState.FAILED or outbox.is_beyond_horizon(stored.scheduled_for):
        return stored
    else:
        named = [queue for queue in queues if queue.name == stored.queue]
        found = await _find_in_redis(queues, named, job_id)
    if record := found or stored:
        return record
    raise JobNotFound(job_id)


async def find_jobs(
    sessions: Sessions, queues: QueuePools, job_ids: Sequence[UUID]
) -> dict[UUID, JobRecord | None]:
    """Return the states of many jobs, None for those that are not known any more.

    A job is left out while its queue does not answer. The rows are asked only for the jobs that
    Redis does not know, or knows as failed: a connection is used rarely, and never held.

    Raises DatabaseUnavailable.
    """
    found, silent = await _ask_all(queues, job_ids)
    unclear = [
        each for each in job_ids if (known := found.get(each)) is None or _is_dead_letter(known)
    ]
    if not unclear:
        return {**found}
    async with sessions() as session:
        rows = await outbox.find_all(session, unclear)
    for row in rows.values():
        if _is_dead_letter(row) or (row.id not in found and row.queue not in silent):
            found[row.id] = row
    missing = [each for each in job_ids if each not in found and each not in rows]
    if missing and not silent:
        # Between the two answers, a job may have been sent, and have ended.
        again, silent = await _ask_all(queues, missing)
        found |= again
    gone = () if silent else (each for each in missing if each not in found)
    return {**found, **dict.fromkeys(gone)}


def _is_dead_letter(record: JobRecord) -> bool:
    return record.state is JobState.FAILED


async def _ask_all(
    queues: QueuePools, job_ids: Sequence[UUID]
) -> tuple[dict[UUID, JobRecord], set[str]]:
    """Return what the queues know, and the names of those that do not answer."""

    async def ask(queue: Queue) -> dict[UUID, JobRecord]:
        try:
            with queue_client(queues, queue) as redis:
                return await read_jobs(redis, queue, job_ids)
        except QueueUnavailable:
            silent.add(queue.name)
            return {}

    found: dict[UUID, JobRecord] = {}
    silent: set[str] = set()
    for answer in await gather(*map(ask, queues)):
        found |= answer
    return found, silent


async def _find_in_redis(
    queues: QueuePools, candidates: Sequence[Queue], job_id: UUID
) -> JobRecord | None:
    """Ask several queues at once. A queue that is down matters only if no other knows the job."""
    answers = await gather(*(_ask(queues, queue, job_id) for queue in candidates))
    for answer in answers:
        if isinstance(answer, JobRecord):
            return answer
    for answer in answers:
        if isinstance(answer, QueueUnavailable):
            raise answer
    return None


async def _ask(
    queues: QueuePools, queue: Queue, job_id: UUID
) -> JobRecord | QueueUnavailable | None:
    try:
        with queue_client(queues, queue) as redis:
            return await read_job(redis, queue, job_id)
    except QueueUnavailable as failure:
        return failure
