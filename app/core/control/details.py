"""The details of a job, and the actions that its state allows."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select

from app.core.broker.keys import QueueKeys
from app.core.broker.message import Unreadable, decode
from app.core.broker.sensitive import hide_sensitive
from app.core.control.cancellation import ENDED
from app.core.control.lookup import find_job
from app.core.control.queues import QueueUnavailable, execute, find_queue
from app.core.control.search_queues import recorded_tries
from app.core.database import Sessions
from app.core.exceptions import NotFound
from app.core.job_store.outbox import outbox
from app.core.job_store.record import JobRecord, JobState
from app.core.job_store.tries import RecordedTry
from app.core.queue import Queue, QueuePools, find_job_class
from app.core.telemetry.traceparent import recorded_trace_id


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """A job, its recorded tries, and the actions that its state allows.

    `payload` is None if only the result is still stored. It hides values that the job class marks
    as sensitive. `trace_id` is None if the trace was not exported.
    """

    job: JobRecord
    tries: Sequence[RecordedTry]
    payload: dict[str, JsonValue] | None
    key: str | None
    request_id: str | None
    trace_id: str | None
    crashes: int
    traceback: str | None
    can_cancel: bool
    can_retry: bool
    can_discard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    payload: dict[str, JsonValue] | None = None
    key: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    crashes: int = 0
    traceback: str | None = None


async def job_details(sessions: Sessions, queues: QueuePools, job_id: UUID) -> JobDetails:
    """Return the details of a job. Raises JobNotFound, QueueUnavailable, or DatabaseUnavailable."""
    async with sessions() as session:
        job = await find_job(session, queues, job_id)
        row = (await session.execute(select(outbox).where(outbox.c.id == job_id))).one_or_none()
    queue = _queue_of(queues, job)
    tries = await _tries(queues, queue, job)
    if row is not None:
        stored = _Stored(
            payload=row.payload,
            key=row.key,
            request_id=row.request_id,
            traceparent=row.traceparent,
            crashes=row.crashes or 0,
            traceback=row.traceback,
        )
    else:
        stored = await _stored_in_redis(queues, queue, job_id)
    is_dead = job.state is JobState.FAILED and row is not None
    return JobDetails(
        job=job,
        tries=tries,
        payload=stored.payload and hide_sensitive(find_job_class(job.name), stored.payload),
        key=stored.key,
        request_id=stored.request_id or next((each.request_id for each in tries), None),
        trace_id=recorded_trace_id(stored.traceparent)
        or next((each.trace_id for each in tries if each.trace_id), None),
        crashes=stored.crashes,
        traceback=stored.traceback,
        can_cancel=job.state not in ENDED,
        can_retry=is_dead and queue is not None,
        can_discard=is_dead,
    )


def _queue_of(queues: QueuePools, job: JobRecord) -> Queue | None:
    """Return the queue of a job, or None if it is not in the code."""
    with suppress(NotFound):
        return find_queue(queues, job.queue)
    return None


async def _tries(queues: QueuePools, queue: Queue | None, job: JobRecord) -> list[RecordedTry]:
    """Return the recorded tries, or none while Redis is down: a dead letter stays readable."""
    with suppress(QueueUnavailable):
        if queue is not None:
            return await recorded_tries(queues, queue, job.id)
    return []


async def _stored_in_redis(queues: QueuePools, queue: Queue | None, job_id: UUID) -> _Stored:
    if queue is None:
        return _Stored()
    [data] = await execute(queues, queue, ("GET", QueueKeys(queue).job(job_id)))
    with suppress(Unreadable):
        if isinstance(data, bytes):
            message = decode(data)
            return _Stored(
                payload=message.payload,
                request_id=message.request_id,
                traceparent=message.traceparent,
            )
    return _Stored()
