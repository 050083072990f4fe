from uuid import UUID

from app.core.exceptions import NotFound
from app.core.job_store import JobRecord, find_job
from app.core.queue import QueuePools


class JobNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Job not found")


class JobService:
    def __init__(self, queues: QueuePools) -> None:
        self.queues = queues

    async def get(self, job_id: UUID) -> JobRecord:
        """Raises JobNotFound for an id that no queue knows, or one that ended long ago."""
        record = await find_job(self.queues, job_id)
        if record is None:
            raise JobNotFound
        return record
