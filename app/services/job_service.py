from uuid import UUID

from app.core.control.lookup import find_job
from app.core.job_store.record import JobRecord
from app.schemas.role import Permission
from app.services.job_access import JobAccess, require_own_job
from app.services.scope import Scope


class JobService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def get(self, job_id: UUID) -> JobRecord:
        """Return the state of a job.

        Raise JobNotFound, QueueUnavailable, or NotEnoughPermissions for another user's job
        without the permission `jobs:read`.
        """
        record, _ = await self.get_with_access(job_id)
        return record

    async def get_with_access(self, job_id: UUID) -> tuple[JobRecord, JobAccess]:
        """Return a job and who may read it, so that a stream can check again later.

        Raise what `get` raises.
        """
        record = await find_job(self.scope.uow.session, self.scope.queues, job_id)
        return record, await require_own_job(self.scope, job_id, Permission.READ_JOBS)
