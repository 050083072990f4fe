"""Cancelling a job that has not ended."""

from dataclasses import replace
from uuid import UUID

from app.core import outbox
from app.core.control.finding import JobNotFound, find_job
from app.core.control.reach import keys_of, queue_named, reaching
from app.core.exceptions import Conflict
from app.core.job_record import JobRecord, JobState
from app.core.job_store import cancelled_result
from app.core.resources import Resources
from app.core.scripts import Call, run_scripts
from app.core.wire import Argument

ENDED = {
    JobState.SUCCEEDED: "it succeeded",
    JobState.FAILED: "it failed for good; retry or discard its dead letter",
    JobState.CANCELLED: "it was cancelled before",
}


class JobEnded(Conflict):
    def __init__(self, job: JobRecord) -> None:
        super().__init__(f"The job {job.id} cannot be cancelled: {ENDED[job.state]}")


async def cancel(resources: Resources, job_id: UUID) -> JobRecord:
    """Keep a job from being done, and return how it stood: it was queued, scheduled or running.

    One that waits is gone at once. One that runs is cancelled by its worker within a second or so.
    Either way its row goes first, and without it no effect through `ctx.completion()` can follow.

    Raises JobNotFound, JobEnded, QueueUnavailable (its row may be gone then: cancel it again),
    DatabaseUnavailable.
    """
    job = await find_job(resources, job_id)
    if job.state in ENDED:
        raise JobEnded(job)
    async with resources.unit_of_work() as uow:
        decided = await outbox.remove(uow.session, job_id)
    queue = queue_named(resources.queues, job.queue)
    keys = keys_of(queue, "running", "crashes", "priority", "later")
    lifetime = resources.settings.job_result_ttl * 1000
    arguments: list[Argument] = [str(job_id), cancelled_result(job), lifetime, int(decided)]
    with reaching(queue, resources.queues) as redis:
        [was] = await run_scripts(redis.wire, Call("cancel", keys, arguments))
    match was:
        case b"ended":
            raise JobEnded(await find_job(resources, job_id))
        case b"unknown":
            raise JobNotFound(job_id)
        case b"running":
            return replace(job, state=JobState.RUNNING)
        case _ if job.state is JobState.RUNNING:
            return replace(job, state=JobState.QUEUED)
        case _:
            return job
