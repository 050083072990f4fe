"""Cancel a job that has not ended."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from app.core.broker.keys import QueueKeys
from app.core.broker.scripts import Call, run_scripts
from app.core.control.lookup import JobNotFound, find_job
from app.core.control.queues import find_queue, queue_client
from app.core.database import Sessions
from app.core.exceptions import Conflict
from app.core.job_store import outbox
from app.core.job_store.live import cancelled_result
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import QueuePools
from app.core.redis_connections.multiplexed import Argument

RESULT_LIFETIME = timedelta(days=1)

ENDED = {
    JobState.SUCCEEDED: "it succeeded",
    JobState.FAILED: "it failed for good; retry or discard its dead letter",
    JobState.CANCELLED: "it is already canceled",
}


class JobEnded(Conflict):
    def __init__(self, job: JobRecord) -> None:
        super().__init__(f"The job {job.id} cannot be canceled: {ENDED[job.state]}")


async def cancel(
    sessions: Sessions,
    queues: QueuePools,
    job_id: UUID,
    *,
    result_lifetime: timedelta = RESULT_LIFETIME,
) -> JobRecord:
    """Cancel a waiting or running job, and return its state from before.

    A waiting job is removed at once. The worker of a running job cancels it within a second. In
    both cases, the job's row is deleted first, which prevents any later commit through
    `ctx.completion()`. The job counts as canceled for `result_lifetime`.

    Raises JobNotFound, JobEnded, or DatabaseUnavailable. Raises QueueUnavailable, after which the
    row may already be deleted: cancel the job again.
    """
    job = await _find(sessions, queues, job_id)
    if job.state in ENDED:
        raise JobEnded(job)
    async with sessions.begin() as session:
        row_deleted = await outbox.remove(session, job_id)
    if job.queue not in {queue.name for queue in queues}:
        return job  # its queue is not in the code, so only the row existed
    match await _cancel_in_redis(queues, job, row_deleted, result_lifetime):
        case b"ended":
            raise JobEnded(await _find(sessions, queues, job_id))
        case b"unknown":
            raise JobNotFound(job_id)
        case b"running":
            return replace(job, state=JobState.RUNNING)
        case _ if job.state is JobState.RUNNING:
            return replace(job, state=JobState.QUEUED)
        case _:
            return job


async def _find(sessions: Sessions, queues: QueuePools, job_id: UUID) -> JobRecord:
    async with sessions() as session:
        return await find_job(session, queues, job_id)


async def _cancel_in_redis(
    queues: QueuePools, job: JobRecord, row_deleted: bool, result_lifetime: timedelta
) -> bytes:
    queue = find_queue(queues, job.queue)
    lifetime = round(result_lifetime.total_seconds() * 1000)
    arguments: list[Argument] = [str(job.id), cancelled_result(job), lifetime, int(row_deleted)]
    with queue_client(queues, queue) as redis:
        [state] = await run_scripts(redis.multiplexed, Call("cancel", QueueKeys(queue), arguments))
    return bytes(state)
