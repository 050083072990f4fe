"""Makes a handler of ours callable for arq, and refuses one that is on the wrong queue."""

import inspect
import time
from asyncio import timeout
from collections.abc import Awaitable, Callable
from typing import NotRequired, TypedDict, TypeVar, cast, get_type_hints
from uuid import UUID

import structlog
from arq import func
from arq.typing import WorkerCoroutine
from arq.worker import Function
from pydantic import JsonValue, ValidationError
from structlog.contextvars import bind_contextvars

from app.core import outbox
from app.core.envelope import Envelope
from app.core.queue import Job, Queue, Retry
from app.core.redis import to_json
from app.core.resources import Resources
from app.core.worker.backoff import backoff
from app.core.worker.claims import Claim, Claims
from app.core.worker.dead_letters import bury, describe
from app.workers.context import AlreadyDone, JobContext

logger = structlog.stdlib.get_logger("app.worker")

SomeJob = TypeVar("SomeJob", bound=Job)
Handler = Callable[[JobContext, SomeJob], Awaitable[object]]

UNBURIED = 30
"""Seconds until a failed job is tried once more because it could not be buried."""

MARGIN = 10
"""Seconds that arq's own timeout comes after ours, which can be followed by another try."""


class ArqContext(TypedDict):
    """What arq passes to a job of ours; a stock worker has no claims."""

    job_id: str
    job_try: int
    resources: Resources
    claims: NotRequired[Claims]


class WrongQueue(TypeError):
    def __init__(self, name: str, job: type[Job], queue: Queue) -> None:
        super().__init__(
            f"{name} handles {job.__name__}, a job of the queue {job.queue.name!r}: "
            f"it cannot be a handler of the queue {queue.name!r}"
        )


class InvalidPayload(ValueError):
    """What Redis holds does not fit the job's class; no further try will change that."""


class UnstorableResult(TypeError):
    """What a handler returned has no JSON form; no further try will change that."""


def job_of(handler: Handler[SomeJob]) -> type[SomeJob]:
    """Tell which job a handler takes, from its annotations.

    Raises TypeError when it is not `async def handler(ctx: JobContext, job: SomeJob)`.
    """
    hints = get_type_hints(handler)
    job = hints.get("job")
    if not (inspect.iscoroutinefunction(handler) and inspect.isclass(job) and issubclass(job, Job)):
        name = getattr(handler, "__qualname__", repr(handler))
        raise TypeError(f"{name} must be: async def handler(ctx: JobContext, job: <a Job>)")
    return cast("type[SomeJob]", job)


def as_arq_function(handler: Handler[SomeJob], queue: Queue) -> Function:
    """Wrap a handler: check the payload, log one line per event, try again after a failure."""
    job_class = job_of(handler)
    if job_class.queue is not queue:
        raise WrongQueue(handler.__qualname__, job_class, queue)

    async def run(
        ctx: ArqContext,
        payload: dict[str, JsonValue],
        request_id: str | None = None,
        kept: bool = False,
    ) -> object:
        claims = ctx.get("claims")
        claim = claims.get(ctx["job_id"]) if claims is not None else None
        job_ctx = JobContext(
            job_id=UUID(ctx["job_id"]),
            attempt=ctx["job_try"],
            queue=queue,
            resources=ctx["resources"],
            kept=kept,
        )
        envelope = Envelope(
            id=job_ctx.job_id,
            queue=queue.name,
            name=job_class.__name__,
            payload=payload,
            request_id=request_id,
            kept=kept,
        )
        # Never unbound: arq runs each job in a task of its own, whose context ends with it.
        bind_contextvars(
            request_id=request_id,
            queue=queue.name,
            job=job_class.__name__,
            job_id=str(job_ctx.job_id),
            attempt=job_ctx.attempt,
        )
        result = await _attempt(handler, job_class, job_ctx, envelope, claim)
        if claim:
            claim.ending = "succeeded"
        return result

    return func(
        cast("WorkerCoroutine", run),
        name=job_class.__name__,
        timeout=job_class.timeout + MARGIN,
        max_tries=job_class.max_tries,
    )


async def _attempt(
    handler: Handler[SomeJob],
    job_class: type[SomeJob],
    ctx: JobContext,
    envelope: Envelope,
    claim: Claim | None,
) -> object:
    started = time.perf_counter()
    log = logger.bind()
    log.info("job.started")
    try:
        job = _open(job_class, envelope)
        if ctx.kept and (ctx.attempt > 1 or (claim and claim.crashes)):
            await _refuse_what_is_done(ctx)
        async with timeout(job_class.timeout):
            result = await handler(ctx, job)
        result = _storable(result, ctx)
        await ctx.complete()
    except AlreadyDone:
        log.info("job.already_done")
        return None
    except Retry:
        log.info("job.deferred", seconds=_since(started))
        raise
    except Exception as error:
        final = isinstance(error, (InvalidPayload, UnstorableResult, *job_class.final))
        if final or ctx.attempt >= job_class.max_tries:
            log.exception("job.failed", seconds=_since(started))
            crashes = claim.crashes if claim else 0
            if not await bury(ctx.resources, envelope, ctx.attempt, error, crashes=crashes):
                raise Retry(defer=UNBURIED) from error
            if claim:
                claim.ending = "failed"
            raise
        delay = backoff(ctx.attempt, job_class.backoff)
        log.warning(
            "job.retrying",
            error=describe(error),
            delay=round(delay, 2),
            seconds=_since(started),
        )
        raise Retry(defer=delay) from error
    except BaseException:
        log.warning("job.interrupted", seconds=_since(started))
        raise
    log.info("job.succeeded", seconds=_since(started))
    return result


def _open(job_class: type[SomeJob], envelope: Envelope) -> SomeJob:
    try:
        return job_class.model_validate(envelope.payload)
    except ValidationError as error:
        raise InvalidPayload(str(error)) from error


async def _refuse_what_is_done(ctx: JobContext) -> None:
    """Look before a second try: the first one may have ended just before its worker died."""
    async with ctx.unit_of_work() as uow:
        if not await outbox.is_alive(uow.session, ctx.job_id):
            raise AlreadyDone


def _storable(result: object, ctx: JobContext) -> object:
    """Refuse what JSON cannot hold; once the effect has been committed, only the result is lost.

    Raises UnstorableResult.
    """
    if result is None:
        return None
    try:
        to_json({"r": result})
    except (TypeError, ValueError) as error:
        if not ctx.completed:
            raise UnstorableResult(f"a job's result must be JSON: {error}") from error
        logger.error("job.result_lost", error=describe(error))  # noqa: TRY400  the sentence says it all
        return None
    return result


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
