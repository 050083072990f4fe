"""Retries or discards all dead letters that match, in a job whose progress the user can follow."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from app.core.control import JobFilter, JobView
from app.models import JobOwner
from app.schemas.jobs import ChangeDeadLetters
from app.schemas.operation import DeadLetterChange
from app.schemas.role import Permission
from app.services.audit import AuditTrail
from app.services.scope import Scope

Change = Literal["retry", "discard"]


class DeadLetterService:
    """Raise NotEnoughPermissions without `jobs:manage`."""

    def __init__(self, scope: Scope) -> None:
        scope.require(Permission.MANAGE_JOBS)
        self.scope = scope

    def request_change(self, action: Change, data: DeadLetterChange) -> UUID:
        """Enqueue the job, and return its id. It ignores jobs that fail after this call.

        Raise SensitiveArgument.
        """
        self.scope.reason = data.reason
        filters = data.model_dump(exclude={"reason", "queue"})
        JobFilter(state=JobView.DEAD, arguments=data.arguments).check()
        filters["until"] = data.until or datetime.now(UTC)
        job = ChangeDeadLetters(action=action, in_queue=data.queue, **filters)
        job_id = self.scope.uow.enqueue(job)
        self.scope.uow.session.add(JobOwner(job_id=job_id, user_id=self.scope.principal.user_id))
        requested = data.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
        self._record(action, filter=requested, job_id=str(job_id))
        return job_id

    def record_change(self, action: Change, name: str) -> None:
        """Record a change of all dead letters of a job class, before it starts.

        A change that stops halfway is therefore recorded, too.
        """
        self._record(action, filter={"name": name})

    def _record(self, action: Change, **details: JsonValue) -> None:
        event, audit = f"dead_letters.{action}_requested", AuditTrail(self.scope)
        audit.record(event, user_id=None, actor_id=self.scope.actor_id, **details)
