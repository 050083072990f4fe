from uuid import UUID

from app.core import outbox
from app.core.exceptions import NotFound
from app.core.job_record import JobRecord
from app.core.job_store import find_job
from app.core.queue import QueuePools
from app.core.unit_of_work import UnitOfWork


class JobNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Job not found")


class JobService:
    def __init__(self, uow: UnitOfWork, queues: QueuePools) -> None:
        self.uow = uow
        self.queues = queues

    async def get(self, job_id: UUID) -> JobRecord:
        """Tell how a job stands: what its queue knows, else what the outbox keeps.

        Raises JobNotFound for an id that neither knows, or one that ended well long ago.
        """
        record = await find_job(self.queues, job_id) or await outbox.find(self.uow.session, job_id)
        if record is None:
            raise JobNotFound
        return record
