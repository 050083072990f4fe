"""What operators do to queues and jobs, each with its event in the audit trail.

The event is written first and commits last: an action that fails leaves none.
"""

from datetime import timedelta
from uuid import UUID

from pydantic import JsonValue

from app.core import control
from app.core.control import QueueLimits
from app.core.database import Sessions
from app.core.queue import Job
from app.schemas.role import Permission
from app.services.audit import AuditTrail
from app.services.scope import Scope


class JobOperations:
    """Raise NotEnoughPermissions without `jobs:manage`."""

    def __init__(self, scope: Scope, sessions: Sessions) -> None:
        scope.principal.require(Permission.MANAGE_JOBS)
        self.scope = scope
        self.sessions = sessions

    async def retry(self, job_id: UUID) -> None:
        """Give a job that failed for good all of its tries again. Raise what `retry` raises."""
        letter = await control.retry(self.sessions, self.scope.queues, job_id)
        _record(self.scope, "job.retried", job=letter.name, job_id=str(job_id))

    async def discard(self, job_id: UUID) -> None:
        """Delete a dead letter. Raise DeadLetterNotFound."""
        letter = await control.discard(self.sessions, job_id)
        _record(self.scope, "job.discarded", job=letter.name, job_id=str(job_id))

    async def cancel(self, job_id: UUID) -> None:
        """Prevent a job from running, or stop it. Raise what `cancel` raises."""
        job = await control.cancel(self.sessions, self.scope.queues, job_id)
        _record(self.scope, "job.canceled", job=job.name, job_id=str(job_id), state=job.state)

    def enqueue(self, job: Job, *, delay: timedelta | None) -> UUID:
        """Enqueue a job with the transaction of the scope. Its arguments are not recorded."""
        job_id = self.scope.uow.enqueue(job, delay=delay)
        _record(self.scope, "job.enqueued", job=type(job).__name__, job_id=str(job_id))
        return job_id


class QueueOperations:
    """Raise NotEnoughPermissions without `queues:manage`."""

    def __init__(self, scope: Scope) -> None:
        scope.principal.require(Permission.MANAGE_QUEUES)
        self.scope = scope

    async def pause(self, name: str) -> None:
        """Start no further job of a queue. Raise QueueNotFound or QueueUnavailable."""
        await control.pause(self.scope.queues, control.find_queue(self.scope.queues, name))
        _record(self.scope, "queue.paused", queue=name)

    async def resume(self, name: str) -> None:
        """End a pause. Raise QueueNotFound or QueueUnavailable."""
        await control.resume(self.scope.queues, control.find_queue(self.scope.queues, name))
        _record(self.scope, "queue.resumed", queue=name)

    async def limit(self, name: str, *, rate: float | None, concurrency: int | None) -> QueueLimits:
        """Set both limits of a queue. Raise QueueNotFound or QueueUnavailable."""
        queues, queue = self.scope.queues, control.find_queue(self.scope.queues, name)
        await control.set_rate(queues, queue, rate)
        limits = await control.set_concurrency(queues, queue, concurrency)
        _record(self.scope, "queue.limited", queue=name, rate=rate, concurrency=concurrency)
        return limits


def _record(scope: Scope, event: str, **details: JsonValue) -> None:
    AuditTrail(scope).record(event, user_id=None, actor_id=scope.actor_id, **details)
