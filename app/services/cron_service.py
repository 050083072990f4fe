"""Operator actions on crons, recorded in the audit trail."""

from uuid import UUID

from app.core import control
from app.core.database import Sessions
from app.schemas.role import Permission
from app.services.audit import AuditTrail
from app.services.scope import Scope


class CronService:
    """Raise NotEnoughPermissions without `jobs:manage`."""

    def __init__(self, scope: Scope, sessions: Sessions) -> None:
        scope.require(Permission.MANAGE_JOBS)
        self.scope = scope
        self.sessions = sessions

    async def run_now(self, name: str) -> UUID:
        """Enqueue the job of a cron, and return its id. Raise the errors of `run_cron_now`."""
        job_id = await control.run_cron_now(self.sessions, self.scope.queues, name)
        AuditTrail(self.scope).record(
            "cron.run",
            user_id=None,
            actor_id=self.scope.actor_id,
            cron=name,
            job_id=str(job_id),
        )
        return job_id
