"""The state of a job in Redis, from arq's keys and from the progress that handlers report.

A value in Redis may be invalid. Then it counts as missing, so that the state of a job can always be
shown.
"""

import math
import time
from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, ValidationError
from redis.exceptions import RedisError, ResponseError

from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.broker.serializer import to_json
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import Queue
from app.core.redis_connections.multiplexed import Command

PROGRESS_LIFETIME = timedelta(days=1)

BATCH = 100
"""Jobs that are read in one transaction, which blocks Redis."""

READS = 6
"""Values that are read per job."""

UNREADABLE = "<unreadable>"
"""The name of a job whose payload cannot be read."""

CANCELLED = {"error": CancelledError.__name__, "message": ""}
"""The result of a canceled job in arq's format."""


def _from_ms(ms: object) -> datetime:
    """Convert milliseconds since the epoch. Raises ValueError for an invalid time."""
    if not isinstance(ms, int | float):
        raise ValueError("a time must be a number of ms")  # noqa: TRY004  pydantic expects it
    try:
        return datetime.fromtimestamp(ms / 1000, tz=UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{ms} is out of range") from error


Moment = Annotated[datetime, BeforeValidator(_from_ms)]


class StoredJob(BaseModel):
    """The fields of arq's payload that a state needs."""

    name: str = Field(alias="f")
    enqueued_at: Moment = Field(alias="et")


class StoredResult(StoredJob):
    """The fields of arq's result that a state needs."""

    attempt: int = Field(alias="t")
    success: bool = Field(alias="s")
    value: JsonValue = Field(alias="r")
    started_at: Moment = Field(alias="st")
    finished_at: Moment = Field(alias="ft")
    queue_key: str = Field(alias="q")


Stored = TypeVar("Stored", bound=BaseModel)


async def read_job(pool: QueueRedis, queue: Queue, job_id: UUID) -> JobRecord | None:
    """Return the state of a job on one queue, or None if this queue does not have the job.

    Queues may share a Redis database, in which the keys of a job do not contain its queue. The
    sorted set and the result identify the queue. Raises redis.exceptions.RedisError.
    """
    return (await read_jobs(pool, queue, [job_id])).get(job_id)


async def read_jobs(
    pool: QueueRedis, queue: Queue, job_ids: Sequence[UUID]
) -> dict[UUID, JobRecord]:
    """Return the states of the jobs that a queue has. Raises redis.exceptions.RedisError."""
    records: dict[UUID, JobRecord] = {}
    for first in range(0, len(job_ids), BATCH):
        batch = job_ids[first : first + BATCH]
        commands = [command for job_id in batch for command in _reads(QueueKeys(queue), job_id)]
        *_, replies = await pool.multiplexed.execute(("MULTI",), *commands, ("EXEC",))
        if isinstance(replies, RedisError):
            raise replies
        for job_id, values in zip(batch, zip(*[iter(replies)] * READS, strict=True), strict=True):
            if record := _record(queue, job_id, [_readable(each) for each in values]):
                records[job_id] = record
    return records


async def save_progress(
    pool: QueueRedis, job_id: UUID, fraction: float, message: str | None = None
) -> None:
    """Store the progress of a job, from 0 to 1. Raises redis.exceptions.RedisError."""
    keys = pool.queue_keys
    key = keys.progress(job_id)
    stored, *_ = await pool.multiplexed.execute(
        ("HSET", key, "progress", fraction, "message", message or ""),
        ("EXPIRE", key, PROGRESS_LIFETIME.days * 86_400),
        ("PUBLISH", keys.events, str(job_id)),
    )
    if isinstance(stored, RedisError):
        raise stored


def cancelled_result(job: JobRecord) -> bytes:
    """Return the result of a job that is canceled now, in arq's format."""
    now = round(time.time() * 1000)
    return to_json(
        {
            "t": job.attempt,
            "f": job.name,
            "a": (),
            "k": {},
            "et": _to_ms(job.enqueued_at),
            "s": False,
            "r": CANCELLED,
            "st": _to_ms(job.started_at) if job.started_at else now,
            "ft": now,
            "q": QueueKeys(job.queue).queue,
            "id": str(job.id),
        }
    )


def _reads(keys: QueueKeys, job_id: UUID) -> Sequence[Command]:
    return (
        ("GET", keys.result(job_id)),
        ("GET", keys.job(job_id)),
        ("GET", keys.in_progress(job_id)),
        ("GET", keys.retry(job_id)),
        ("ZSCORE", keys.queue, str(job_id)),
        ("HMGET", keys.progress(job_id), "progress", "message"),
    )


def _record(queue: Queue, job_id: UUID, replies: Sequence[object]) -> JobRecord | None:
    stored_result, stored_job, owner, tries, stored_score, stored_progress = replies
    progress, message = _progress(stored_progress)
    score = _number(stored_score)
    result = _parse(StoredResult, stored_result)
    if result and result.queue_key == QueueKeys(queue).queue:
        return replace(
            _finished(job_id, queue, result), progress=progress, progress_message=message
        )
    if stored_job is None or score is None:
        return None
    job = _parse(StoredJob, stored_job)
    due = _moment(score)
    state = JobState.RUNNING if owner else _waiting_state(score)
    return JobRecord(
        id=job_id,
        queue=queue.name,
        name=job.name if job else UNREADABLE,
        state=state,
        attempt=_attempt(state, tries),
        progress=progress,
        progress_message=message,
        enqueued_at=job.enqueued_at if job else due or datetime.now(UTC),
        scheduled_for=due if state is JobState.SCHEDULED else None,
        started_at=_started_at(owner),
    )


def _progress(stored: object) -> tuple[float | None, str | None]:
    """Return the fraction and the message."""
    if not isinstance(stored, list):
        return None, None
    fraction, message = stored
    number = _number(fraction)
    text = message.decode(errors="replace") if isinstance(message, bytes) else ""
    return number if number is not None and math.isfinite(number) else None, text or None


def _number(text: object) -> float | None:
    try:
        return float(text) if isinstance(text, bytes | float) else None
    except ValueError:
        return None


def _parse(model: type[Stored], stored: object) -> Stored | None:
    if not isinstance(stored, bytes):
        return None
    try:
        return model.model_validate_json(stored, strict=True)
    except ValidationError:
        return None


def _finished(job_id: UUID, queue: Queue, result: StoredResult) -> JobRecord:
    state = _final_state(success=result.success, value=result.value)
    return JobRecord(
        id=job_id,
        queue=queue.name,
        name=result.name,
        state=state,
        attempt=result.attempt,
        progress=None,
        enqueued_at=result.enqueued_at,
        started_at=result.started_at if result.attempt else None,
        finished_at=result.finished_at,
        result=result.value if result.success else None,
        error=_describe(result.value) if state is JobState.FAILED else None,
    )


def _final_state(*, success: bool, value: JsonValue) -> JobState:
    if success:
        return JobState.SUCCEEDED
    return JobState.CANCELLED if value == CANCELLED else JobState.FAILED


def _describe(error: JsonValue) -> str:
    match error:
        case {"error": str(name), "message": str(message)}:
            return f"{name}: {message}" if message else name
        case _:
            return str(error)


def _moment(ms: object) -> datetime | None:
    try:
        return _from_ms(ms)
    except ValueError:
        return None


def _waiting_state(score: float) -> JobState:
    return JobState.SCHEDULED if score > time.time() * 1000 else JobState.QUEUED


def _attempt(state: JobState, tries: object) -> int:
    """Return the number of tries. Redis counts the first one only when the job is retried."""
    first = 1 if state is JobState.RUNNING else 0
    return max(first, int(tries)) if isinstance(tries, bytes) and tries.isdigit() else first


def _started_at(owner: object) -> datetime | None:
    """Return the time at the end of the owner's token, or None for a stock arq worker."""
    if not isinstance(owner, bytes):
        return None
    _, slash, started = owner.rpartition(b"/")
    return _moment(float(started)) if slash and started.isdigit() else None


def _readable(reply: object) -> object:
    """Return None for a key of a wrong type. Raise every other error of the server."""
    if isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None
    if isinstance(reply, Exception):
        raise reply
    return reply


def _to_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
