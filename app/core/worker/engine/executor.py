"""Turns a claim into an outcome."""

from asyncio import CancelledError
from collections.abc import Mapping
from uuid import UUID

import structlog

from app.core.broker.errors import describe, error_message
from app.core.broker.keys import QueueKeys
from app.core.broker.message import JobResult, decode, error_value, now_ms
from app.core.job_store.tries import TryOutcome
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.worker.claims import Claim, Kind, Outcome
from app.core.worker.execution.attempt import (
    Attempt,
    Deferred,
    Failed,
    Incompatible,
    JobRunner,
    Succeeded,
)
from app.core.worker.execution.dead_letters import RETRY_DELAY, delete_row
from app.core.worker.execution.observers import LeaseLost, Observers, TryReport
from app.core.worker.execution.postponements import Postponements, postponement_delay
from app.core.worker.execution.registry import Definition
from app.core.worker.execution.rejected import (
    Mismatch,
    OtherRelease,
    PayloadMissing,
    Rejected,
    TriesExceeded,
    UnknownJob,
    UnreadablePayload,
    WorkerDied,
    read_envelope,
    read_name,
    read_sent_ms,
    reject,
)

log = structlog.stdlib.get_logger("app.worker")

MAX_CRASHES = 3
"""How many workers a job may crash before it is rejected."""


class Executor:
    """Runs the jobs of one queue.

    `result_ttl` is the lifetime of a result in seconds. With 0, no result is stored.
    """

    def __init__(
        self,
        queue: Queue,
        definitions: Mapping[str, Definition],
        resources: Resources,
        observers: Observers,
        *,
        result_ttl: float,
    ) -> None:
        self.queue = queue
        self._queue_key = QueueKeys(queue).queue
        self._definitions = definitions
        self._observers = observers
        self._runner = JobRunner(resources, observers)
        self._postponements = Postponements(resources.queues[queue])
        self._max_wait = resources.settings.incompatible_job_timeout
        self._result_ms = round(result_ttl * 1000)

    async def execute(self, claim: Claim) -> Outcome:
        """Run a job, and return its outcome. Raise CancelledError if the worker cancels the try."""
        if claim.cancelled:
            return await self.cancelled(claim)
        try:
            attempt = self._accept(claim)
        except Rejected as reason:
            return await self._postpone_or_reject(claim, reason)
        started_ms = now_ms()
        match await self._runner.run(attempt):
            case Succeeded(value):
                return self._succeeded(claim, attempt, started_ms, value)
            case Failed(error):
                return self._failed(claim, "failed", error)
            case Deferred(seconds):
                return Outcome(claim, "retry", round(seconds * 1000))
            case Incompatible(error):
                return await self._postpone_or_reject(claim, Mismatch(error_message(error)))

    async def cancelled(self, claim: Claim) -> Outcome:
        """Delete the row of a canceled job if it still exists, and return the job's outcome."""
        job = read_envelope(self.queue, claim)
        if job.durable and not await delete_row(self._runner.resources, job.id):
            return Outcome(claim, "retry", round(RETRY_DELAY * 1000))
        self._report(claim, "cancelled", CancelledError())
        return self._failed(claim, "cancelled", CancelledError())

    def interrupted(self, claim: Claim, error: LeaseLost | None) -> None:
        """Report a try that ended because the worker stops or another worker has the job."""
        self._report(claim, "interrupted", error)

    def _accept(self, claim: Claim) -> Attempt:
        """Return the try for a claim. Raise Rejected if no handler can run the job."""
        if claim.crashes >= MAX_CRASHES:
            raise WorkerDied(claim.crashes)
        if claim.payload is None:
            raise PayloadMissing
        try:
            job_id, message = UUID(claim.job_id), decode(claim.payload)
        except ValueError as error:
            raise UnreadablePayload(str(error)) from error
        definition = self._definitions.get(message.name)
        if definition is None:
            raise UnknownJob(message.name, self.queue)
        if claim.tries > definition.job.max_tries:
            raise TriesExceeded(definition.job.max_tries)
        pickup = _pickup_seconds(claim)
        return Attempt(job_id, definition, message, claim.tries, claim.crashes, pickup)

    async def _postpone_or_reject(self, claim: Claim, reason: Rejected) -> Outcome:
        """Postpone a job for some time if another release may run it. Reject any other job."""
        if not isinstance(reason, OtherRelease):
            return await self._reject(claim, reason)
        name = read_name(claim.payload or b"")
        waited = await self._postponements.postpone(claim.job_id, name)
        if waited >= self._max_wait:
            return await self._reject(claim, reason)
        return self._postpone(claim, name, reason, waited)

    def _postpone(self, claim: Claim, name: str, reason: Rejected, waited: float) -> Outcome:
        """Release a job without counting the try."""
        delay = postponement_delay(waited)
        log.warning(
            "job.postponed",
            job=name,
            job_id=claim.job_id,
            queue=self.queue.name,
            reason=describe(reason),
            waited=round(waited),
            delay=round(delay, 2),
        )
        return Outcome(claim, "release", round(delay * 1000))

    async def _reject(self, claim: Claim, reason: Rejected) -> Outcome:
        if await reject(self._runner.resources, self.queue, claim, reason):
            self._report(claim, "failed", reason, started=False)
            return self._failed(claim, "failed", reason)
        return Outcome(claim, "retry", round(RETRY_DELAY * 1000))

    def _report(
        self,
        claim: Claim,
        outcome: TryOutcome,
        error: BaseException | None = None,
        *,
        started: bool = True,
    ) -> None:
        """Report a try that the runner does not: one that was interrupted or that never started."""
        if not self._observers:
            return
        job = read_envelope(self.queue, claim)
        self._observers.notify(
            TryReport(
                queue=job.queue,
                name=job.name,
                job_id=job.id,
                attempt=claim.tries,
                outcome=outcome,
                pickup_seconds=claim.waited_ms / 1000,
                duration_seconds=max(0, now_ms() - claim.claimed_ms) / 1000 if started else 0,
                error_class=type(error).__name__ if error else None,
                request_id=job.request_id,
                traceparent=job.traceparent,
            )
        )

    def _succeeded(self, claim: Claim, attempt: Attempt, started_ms: int, value: bytes) -> Outcome:
        result = JobResult(
            job_id=claim.job_id,
            queue_key=self._queue_key,
            name=attempt.definition.name,
            attempt=claim.tries,
            sent_ms=attempt.message.sent_ms,
            started_ms=started_ms,
            succeeded=True,
            value=value,
        )
        return self._ended(claim, "succeeded", result)

    def _failed(self, claim: Claim, kind: Kind, error: BaseException) -> Outcome:
        """Return the outcome of a job without a value, whose payload may be unreadable."""
        result = JobResult(
            job_id=claim.job_id,
            queue_key=self._queue_key,
            name=read_name(claim.payload or b""),
            attempt=claim.tries,
            sent_ms=read_sent_ms(claim.payload or b"") or claim.claimed_ms,
            started_ms=claim.claimed_ms,
            succeeded=False,
            value=error_value(error),
        )
        return self._ended(claim, kind, result)

    def _ended(self, claim: Claim, kind: Kind, result: JobResult) -> Outcome:
        encoded = result.encode() if self._result_ms else b""
        return Outcome(claim, kind, self._result_ms, encoded)


def _pickup_seconds(claim: Claim) -> float:
    """Return the seconds between the job's due time and now, when its handler starts."""
    return (claim.waited_ms + max(0, now_ms() - claim.claimed_ms)) / 1000
