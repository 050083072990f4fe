"""What operators do to queues and jobs, each with its event in the audit trail.

The event is written first and commits last: an action that fails leaves none.
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
        """Give a job that failed for good all of its tries again. Raise what `retry` raises."""
        letter = await control.retry(self.sessions, self.scope.queues, job_id)
        _record(self.scope, "job.retried", job=letter.name, job_id=str(job_id))
        return letter

    async def discard(self, job_id: UUID) -> DeadLetterDetails:
        """Delete a dead letter. Raise DeadLetterNotFound."""
        letter = await control.discard(self.sessions, job_id)
        _record(self.scope, "job.discarded", job=letter.name, job_id=str(job_id))
        return letter

    async def cancel(self, job_id: UUID) -> JobRecord:
        """Prevent a job from running, or stop it, and return it as it was.

        Raise what `cancel` raises.
        """
        lifetime = timedelta(seconds=self.scope.settings.job_result_ttl)
        job = await control.cancel(
            self.sessions, self.scope.queues, job_id, result_lifetime=lifetime
        )
        _record(self.scope, "job.canceled", job=job.name, job_id=str(job_id), state=job.state)
        return job

    def enqueue(self, job: Job, *, delay: timedelta | None) -> UUID:
        """Enqueue a job with the transaction of the scope. Its arguments are not recorded."""
        job_id = self.scope.uow.enqueue(job, delay=delay)
        _record(self.scope, "job.enqueued", job=type(job).__name__, job_id=str(job_id))
        return job_id


class QueueOperations:
    """Raise NotEnoughPermissions without `queues:manage`."""

    def __init__(self, scope: Scope) -> None:
        scope.require(Permission.MANAGE_QUEUES)
        self.scope = scope

    async def pause(self, name: str) -> QueueLimits:
        """Start no further job of a queue. Raise QueueNotFound or QueueUnavailable."""
        limits = await control.pause(self._queues, self._find(name))
        _record(self.scope, "queue.paused", queue=name)
        return limits

    async def resume(self, name: str) -> QueueLimits:
        """End a pause. Raise QueueNotFound or QueueUnavailable."""
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
