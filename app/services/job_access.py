"""Access to jobs. Workers import only this module, not the services that find jobs."""

from dataclasses import dataclass
from uuid import UUID

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


async def require_own_job(scope: Scope, job_id: UUID, permission: Permission) -> JobAccess:
    """Raise NotEnoughPermissions unless the user enqueued the job or may see all of them."""
    owner = await scope.uow.session.get(JobOwner, job_id)
    access = JobAccess(None if owner is None else owner.user_id, permission)
    if not access.allows(scope.principal):
        raise NotEnoughPermissions
    return access
