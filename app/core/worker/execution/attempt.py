"""One try of a job: check the payload, run the handler, and log one line per event.

This project's worker and a stock arq worker run jobs through the same `JobRunner`.
"""

import time
from asyncio import CancelledError, current_task
from dataclasses import dataclass
from uuid import UUID

import structlog
from arq import Retry
from pydantic import ValidationError
from structlog.contextvars import bind_contextvars

from app.core.broker.errors import describe, traceback_of
from app.core.broker.message import Envelope, StoredMessage
from app.core.broker.serializer import to_json
from app.core.job_store import outbox
from app.core.job_store.tries import TryOutcome
from app.core.queue import Job
from app.core.resources import Resources
from app.core.telemetry.errors import report_error
from app.core.telemetry.messaging import processing
from app.core.telemetry.reporter import Tags
from app.core.telemetry.tracing import active_tracer
from app.core.worker.execution.backoff import backoff
from app.core.worker.execution.dead_letters import RETRY_DELAY, dead_letter
from app.core.worker.execution.deadlines import Deadlines
from app.core.worker.execution.observers import Observers, TryReport
from app.core.worker.execution.registry import Definition
from app.workers.context import AlreadyDone, JobContext

NO_VALUE = b"null"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try of a job. `number` counts the tries from 1, `crashes` the workers that died.

    `pickup_seconds` is the time between the job's due time and the start of this try, if known.
    """

    job_id: UUID
    definition: Definition
    message: StoredMessage
    number: int
    crashes: int = 0
    pickup_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The job is done. `value` is the return value of its handler, as JSON."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Deferred:
    """The job is retried after a delay in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The job has failed for good and is a dead letter."""

    error: BaseException


class IncompatiblePayload(ValueError):
    """The payload is invalid in this release. Another release may have sent it."""


@dataclass(frozen=True, slots=True)
class Incompatible:
    """The job was not tried, because its payload is not valid in this release."""

    error: IncompatiblePayload


Ending = Succeeded | Deferred | Failed | Incompatible


class UnstorableResult(TypeError):
    """The handler returned a value that is not JSON. A retry would return it again."""


class AwaitedCancellation(RuntimeError):
    """The handler awaited a task that was canceled, although the job itself was not."""

    def __init__(self) -> None:
        super().__init__("the handler awaited a task that was canceled")


class JobRunner:
    """Runs handlers with the resources of a worker."""

    def __init__(self, resources: Resources, observers: Observers) -> None:
        self.resources = resources
        self.observers = observers
        self._deadlines = Deadlines()
        # Bind only once, because binding takes as long as an empty job.
        self._log = structlog.stdlib.get_logger("app.worker").bind()

    async def run(self, attempt: Attempt) -> Ending:
        """Run a try, and return how it ended. Raise CancelledError if the worker cancels it."""
        tracer = active_tracer()
        if tracer is None:
            return await self._try(attempt)
        job = _envelope(attempt)
        with processing(tracer, job, attempt=attempt.number, crashes=attempt.crashes):
            return await self._try(attempt)

    async def _try(self, attempt: Attempt) -> Ending:
        ctx = self._context(attempt)
        started = time.perf_counter()
        try:
            job = _parse(attempt)
        except IncompatiblePayload as error:
            return Incompatible(error)
        self._log.info("job.started")
        try:
            value = await self._run_handler(attempt, job, ctx)
        except AlreadyDone:
            self._log.info("job.already_done")
            self._report(attempt, "succeeded", started)
            return Succeeded(NO_VALUE)
        except Retry as retry:
            self._log.info("job.deferred", seconds=_since(started))
            self._report(attempt, "retried", started, retry)
            return Deferred((retry.defer_score or 0) / 1000)
        except BaseException as error:
            if _is_interrupted(error):
                self._log.warning("job.interrupted", seconds=_since(started))
                raise
            seconds, failure = _since(started), _failure(error)
            ending = await self.fail(attempt, failure, seconds=seconds)
            outcome: TryOutcome = "failed" if isinstance(ending, Failed) else "retried"
            self._report(attempt, outcome, started, failure, seconds=seconds)
            return ending
        self._log.info("job.succeeded", seconds=_since(started))
        self._report(attempt, "succeeded", started)
        return Succeeded(value)

    def _report(
        self,
        attempt: Attempt,
        outcome: TryOutcome,
        started: float,
        error: BaseException | None = None,
        *,
        seconds: float | None = None,
    ) -> None:
        """Report a try that ended. The worker itself reports interrupted tries."""
        if not self.observers:
            return
        self.observers.notify(
            TryReport(
                queue=attempt.definition.job.queue.name,
                name=attempt.definition.name,
                job_id=attempt.job_id,
                attempt=attempt.number,
                outcome=outcome,
                pickup_seconds=attempt.pickup_seconds,
                duration_seconds=_since(started) if seconds is None else seconds,
                error_class=type(error).__name__ if error else None,
                request_id=attempt.message.request_id,
                traceparent=attempt.message.traceparent,
            )
        )

    def _context(self, attempt: Attempt) -> JobContext:
        queue = attempt.definition.job.queue
        # Unbinding is not needed: each job runs in its own task, whose context ends with it.
        bind_contextvars(
            request_id=attempt.message.request_id,
            queue=queue.name,
            job=attempt.definition.name,
            job_id=str(attempt.job_id),
            attempt=attempt.number,
        )
        return JobContext(
            job_id=attempt.job_id,
            attempt=attempt.number,
            queue=queue,
            resources=self.resources,
            durable=attempt.message.durable,
        )

    async def fail(
        self, attempt: Attempt, error: BaseException, *, seconds: float = 0
    ) -> Deferred | Failed:
        """Return a delay for the next try, or store a dead letter."""
        job = attempt.definition.job
        final = isinstance(error, (IncompatiblePayload, UnstorableResult, *job.final))
        if not final and attempt.number < job.max_tries:
            delay = backoff(attempt.number, job.backoff)
            self._log.warning(
                "job.retrying", error=describe(error), delay=round(delay, 2), seconds=seconds
            )
            return Deferred(delay)
        self._log.error("job.failed", exception=traceback_of(error), seconds=seconds)
        envelope = _envelope(attempt)
        if await dead_letter(
            self.resources, envelope, attempt.number, error, crashes=attempt.crashes
        ):
            report_error(error, _tags(attempt))
            return Failed(error)
        return Deferred(RETRY_DELAY)

    async def _run_handler(self, attempt: Attempt, job: Job, ctx: JobContext) -> bytes:
        definition = attempt.definition
        if ctx.durable and (attempt.number > 1 or attempt.crashes):
            await _raise_if_done(ctx)
        try:
            with self._deadlines.within(definition.job.timeout):
                result = await definition.handler(ctx, job)
        finally:
            await ctx.close_progress()
        value = NO_VALUE if result is None else self._to_value(result, ctx)
        await ctx.complete()
        return value

    def _to_value(self, result: object, ctx: JobContext) -> bytes:
        """Return a result as JSON. Raise UnstorableResult unless the effect has been committed.

        After a commit, the job has succeeded, and only its result is lost.
        """
        try:
            return to_json(result)
        except (TypeError, ValueError) as error:
            if not ctx.completed:
                raise UnstorableResult(f"a job's result must be JSON: {error}") from error
            self._log.error("job.result_lost", error=describe(error))
            return NO_VALUE


def _parse(attempt: Attempt) -> Job:
    """Return the job without fields that this release does not know. Raise IncompatiblePayload."""
    job = attempt.definition.job
    extra = job.model_config.get("extra")
    try:
        return job.model_validate(
            attempt.message.payload, extra="ignore" if extra == "forbid" else extra
        )
    except ValidationError as error:
        raise IncompatiblePayload(str(error)) from error


async def _raise_if_done(ctx: JobContext) -> None:
    """Raise AlreadyDone if an earlier try completed just before its worker died."""
    if not await ctx.resources.reader.first(outbox.FIND_ALIVE, job_id=ctx.job_id):
        raise AlreadyDone


def _is_interrupted(error: BaseException) -> bool:
    """Return whether the worker canceled the try. A handler may also raise CancelledError."""
    task = current_task()
    return task is None or (isinstance(error, CancelledError) and task.cancelling() > 0)


def _failure(error: BaseException) -> BaseException:
    """Return the error to report. A CancelledError would look like a canceled job."""
    if not isinstance(error, CancelledError):
        return error
    failure = AwaitedCancellation()
    failure.__cause__ = error
    return failure


def _envelope(attempt: Attempt) -> Envelope:
    return Envelope(
        id=attempt.job_id,
        queue=attempt.definition.job.queue.name,
        name=attempt.definition.name,
        payload=attempt.message.payload,
        request_id=attempt.message.request_id,
        durable=attempt.message.durable,
        traceparent=attempt.message.traceparent,
    )


def _tags(attempt: Attempt) -> Tags:
    return {
        "queue": attempt.definition.job.queue.name,
        "job": attempt.definition.name,
        "job_id": str(attempt.job_id),
        "attempt": attempt.number,
        "request_id": attempt.message.request_id,
    }


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
