"""Operator actions on queues and jobs, each recorded in the audit trail.

The event is recorded after the action, so an action that fails leaves none.
"""

from datetime import timedelta
from uuid import UUID

from pydantic import JsonValue

from app.core import control
from app.core.control import DeadLetterDetails, QueueLimits
from app.core.database import Sessions
from app.core.job_store.record import JobRecord
from app.core.queue import Job, Queue, QueuePools
from app.schemas.role import Permission
from app.services.audit import AuditTrail
from app.services.scope import Scope


class JobOperations:
    """Raise NotEnoughPermissions without `jobs:manage`."""

    def __init__(self, scope: Scope, sessions: Sessions) -> None:
        scope.require(Permission.MANAGE_JOBS)
        self.scope = scope
        self.sessions = sessions

    async def retry(self, job_id: UUID) -> DeadLetterDetails:
        """Retry a dead letter with all of its tries. Raise what `control.retry` raises."""
        dead_letter = await control.retry(self.sessions, self.scope.queues, job_id)
        _record(self.scope, "job.retried", job=dead_letter.name, job_id=str(job_id))
        return dead_letter

    async def discard(self, job_id: UUID) -> DeadLetterDetails:
        """Delete a dead letter. Raise DeadLetterNotFound."""
        dead_letter = await control.discard(self.sessions, job_id)
        _record(self.scope, "job.discarded", job=dead_letter.name, job_id=str(job_id))
        return dead_letter

    async def cancel(self, job_id: UUID) -> JobRecord:
        """Cancel a waiting or running job, and return its record from before.

        Raise what `control.cancel` raises.
        """
        lifetime = timedelta(seconds=self.scope.settings.job_result_ttl)
        job = await control.cancel(
            self.sessions, self.scope.queues, job_id, result_lifetime=lifetime
        )
        _record(self.scope, "job.canceled", job=job.name, job_id=str(job_id), state=job.state)
        return job

    def enqueue(self, job: Job, *, delay: timedelta | None) -> UUID:
        """Enqueue a job in the scope's transaction. The audit event leaves its arguments out."""
        job_id = self.scope.uow.enqueue(job, delay=delay)
        _record(self.scope, "job.enqueued", job=type(job).__name__, job_id=str(job_id))
        return job_id


class QueueOperations:
    """Raise NotEnoughPermissions without `queues:manage`."""

    def __init__(self, scope: Scope) -> None:
        scope.require(Permission.MANAGE_QUEUES)
        self.scope = scope

    async def pause(self, name: str) -> QueueLimits:
        """Pause a queue: no further job starts. Raise QueueNotFound or QueueUnavailable."""
        limits = await control.pause(self._queues, self._find(name))
        _record(self.scope, "queue.paused", queue=name)
        return limits

    async def resume(self, name: str) -> QueueLimits:
        """Resume a paused queue. Raise QueueNotFound or QueueUnavailable."""
        limits = await control.resume(self._queues, self._find(name))
        _record(self.scope, "queue.resumed", queue=name)
        return limits

    async def limit(self, name: str, *, rate: float | None, concurrency: int | None) -> QueueLimits:
        """Set both limits of a queue. Raise QueueNotFound or QueueUnavailable."""
        queue = self._find(name)
        await control.set_rate(self._queues, queue, rate)
        limits = await control.set_concurrency(self._queues, queue, concurrency)
        _record(self.scope, "queue.limited", queue=name, rate=rate, concurrency=concurrency)
        return limits

    async def limit_rate(self, name: str, rate: float | None) -> QueueLimits:
        """Limit how many jobs start per second. Raise QueueNotFound or QueueUnavailable."""
        limits = await control.set_rate(self._queues, self._find(name), rate)
        _record(self.scope, "queue.limited", queue=name, rate=rate)
        return limits

    async def limit_concurrency(self, name: str, jobs: int | None) -> QueueLimits:
        """Limit how many jobs run at once. Raise QueueNotFound or QueueUnavailable."""
        limits = await control.set_concurrency(self._queues, self._find(name), jobs)
        _record(self.scope, "queue.limited", queue=name, concurrency=jobs)
        return limits

    @property
    def _queues(self) -> QueuePools:
        return self.scope.queues

    def _find(self, name: str) -> Queue:
        return control.find_queue(self._queues, name)


def _record(scope: Scope, event: str, **details: JsonValue) -> None:
    AuditTrail(scope).record(event, user_id=None, actor_id=scope.actor_id, **details)
