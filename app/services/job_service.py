from uuid import UUID

from app.core import outbox
from app.core.exceptions import NotFound
from app.core.job_record import JobRecord
from app.core.job_store import find_job
from app.core.queue import QueuePools
from app.core.unit_of_work import UnitOfWork
from app.models import JobOwner
from app.schemas.role import Permission
from app.services.principal import Principal
from app.services.role_service import require


class JobNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Job not found")


class JobService:
    def __init__(self, uow: UnitOfWork, queues: QueuePools) -> None:
        self.uow = uow
        self.queues = queues

    async def get(self, job_id: UUID, principal: Principal) -> JobRecord:
        """Tell how a job stands: what its queue knows, else what the outbox keeps.

        Raises JobNotFound for an id that neither knows, or one that ended well long ago, and
        NotEnoughPermissions for somebody else's job without the permission `jobs:read`.
        """
        record = await find_job(self.queues, job_id) or await outbox.find(self.uow.session, job_id)
        if record is None:
            raise JobNotFound
        own = await asked_for(self.uow, principal, job_id)
        if not (own and principal.covers(Permission.READ_JOBS)):
            await require(self.uow, principal, Permission.READ_JOBS)
        return record


async def asked_for(uow: UnitOfWork, principal: Principal, job_id: UUID) -> bool:
    """Tell whether it was this principal's user who asked for a job."""
    owner = await uow.session.get(JobOwner, job_id)
    return owner is not None and owner.user_id == principal.user.id
