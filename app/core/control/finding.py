"""Finding a job, wherever it is known."""

from uuid import UUID

from app.core import outbox
from app.core.control.reach import queue_named, reaching
from app.core.exceptions import NotFound
from app.core.job_record import JobRecord, JobState
from app.core.job_store import read_job
from app.core.resources import Resources


class JobNotFound(NotFound):
    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"Nobody knows a job {job_id}: it never was, or its result has been forgotten by now"
        )


async def find_job(resources: Resources, job_id: UUID) -> JobRecord:
    """Tell how a job stands; of a dead letter, its row tells, even while Redis is away.

    Raises JobNotFound, QueueNotFound, QueueUnavailable, DatabaseUnavailable.
    """
    async with resources.unit_of_work() as uow:
        kept = await outbox.find(uow.session, job_id)
    if kept and kept.state is JobState.FAILED:
        return kept
    queues = [queue_named(resources.queues, kept.queue)] if kept else list(resources.queues)
    for queue in queues:
        with reaching(queue, resources.queues) as redis:
            if record := await read_job(redis, queue, job_id):
                return record
    if kept is None:
        raise JobNotFound(job_id)
    return kept
