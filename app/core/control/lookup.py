"""The state of a job from its row and from Redis. The CLI and HTTP both use these functions."""

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

    The row is enough for a dead letter and for a job that is due beyond the horizon, even while
    Redis is down. For every other job, Redis is more up to date than the row.

    Raises JobNotFound, QueueUnavailable, or DatabaseUnavailable.
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
    """Return the states of many jobs, or None for jobs that are no longer stored.

    The result omits jobs whose queue does not respond. Rows are read only for jobs that Redis does
    not know, or knows as failed, so that a connection is rarely needed.

    Raises DatabaseUnavailable.
    """
    found, unavailable = await _read_all(queues, job_ids)
    unclear = [
        each for each in job_ids if (known := found.get(each)) is None or _is_dead_letter(known)
    ]
    if not unclear:
        return {**found}
    async with sessions() as session:
        rows = await outbox.find_all(session, unclear)
    for row in rows.values():
        if _is_dead_letter(row) or (row.id not in found and row.queue not in unavailable):
            found[row.id] = row
    missing = [each for each in job_ids if each not in found and each not in rows]
    if missing and not unavailable:
        # Between the two reads, a job may have been sent and have ended.
        again, unavailable = await _read_all(queues, missing)
        found |= again
    gone = () if unavailable else (each for each in missing if each not in found)
    return {**found, **dict.fromkeys(gone)}


def _is_dead_letter(record: JobRecord) -> bool:
    return record.state is JobState.FAILED


async def _read_all(
    queues: QueuePools, job_ids: Sequence[UUID]
) -> tuple[dict[UUID, JobRecord], set[str]]:
    """Return the jobs that the queues know, and the names of the unavailable queues."""

    async def read(queue: Queue) -> dict[UUID, JobRecord]:
        try:
            with queue_client(queues, queue) as redis:
                return await read_jobs(redis, queue, job_ids)
        except QueueUnavailable:
            unavailable.add(queue.name)
            return {}

    found: dict[UUID, JobRecord] = {}
    unavailable: set[str] = set()
    for records in await gather(*map(read, queues)):
        found |= records
    return found, unavailable


async def _find_in_redis(
    queues: QueuePools, candidates: Sequence[Queue], job_id: UUID
) -> JobRecord | None:
    """Read several queues at once. Raise QueueUnavailable only if no other queue has the job."""
    results = await gather(*(_read(queues, queue, job_id) for queue in candidates))
    for result in results:
        if isinstance(result, JobRecord):
            return result
    for result in results:
        if isinstance(result, QueueUnavailable):
            raise result
    return None


async def _read(
    queues: QueuePools, queue: Queue, job_id: UUID
) -> JobRecord | QueueUnavailable | None:
    try:
        with queue_client(queues, queue) as redis:
            return await read_job(redis, queue, job_id)
    except QueueUnavailable as failure:
        return failure
