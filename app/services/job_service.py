from dataclasses import dataclass
from uuid import UUID

from app.core.control.lookup import find_job
from app.core.job_store.record import JobRecord
from app.models import JobOwner
from app.schemas.role import Permission
from app.services.auth.principal import NotEnoughPermissions, Principal
from app.services.scope import Scope


@dataclass(frozen=True, slots=True)
class JobAccess:
    """The access to a job: its owner and users with a permission may read it.

    An API key needs the permission in its scopes in both cases.
    """

    owner_id: UUID | None
    permission: Permission

    def allows(self, principal: Principal) -> bool:
        if self.owner_id == principal.user_id:
            return principal.covers(self.permission)
        return principal.may(self.permission)


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


async def require_own_job(scope: Scope, job_id: UUID, permission: Permission) -> JobAccess:
    """Raise NotEnoughPermissions unless the user enqueued the job or may see all of them."""
    owner = await scope.uow.session.get(JobOwner, job_id)
    access = JobAccess(None if owner is None else owner.user_id, permission)
    if not access.allows(scope.principal):
        raise NotEnoughPermissions
    return access
