"""What Redis knows of a job, read from arq's keys and from the progress that handlers report."""

import time
from asyncio import gather
from datetime import UTC, datetime, timedelta
from uuid import UUID

from arq.constants import (
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)
from arq.jobs import deserialize_job, deserialize_result
from pydantic import JsonValue

from app.core.job_record import JobRecord, JobState
from app.core.queue import Queue, QueuePools
from app.core.queue_redis import QueueRedis
from app.core.redis import from_json

PROGRESS_TTL = timedelta(days=1)


async def find_job(queues: QueuePools, job_id: UUID) -> JobRecord | None:
    """Look for a job on every queue; None when no queue knows it (any more)."""
    records = await gather(*(_read(queues[queue], queue, job_id) for queue in queues))
    return next((record for record in records if record is not None), None)


async def save_progress(pool: QueueRedis, job_id: UUID, fraction: float) -> None:
    """Note how much of a job is done, from 0 to 1; the next try begins anew."""
    key = _progress_key(job_id)
    async with pool.pipeline(transaction=True) as pipe:
        pipe.hset(key, "progress", str(fraction))
        pipe.expire(key, PROGRESS_TTL)
        await pipe.execute()


async def _read(pool: QueueRedis, queue: Queue, job_id: UUID) -> JobRecord | None:
    async with pool.pipeline(transaction=True) as pipe:
        pipe.get(f"{result_key_prefix}{job_id}")
        pipe.get(f"{job_key_prefix}{job_id}")
        pipe.get(f"{in_progress_key_prefix}{job_id}")
        pipe.get(f"{retry_key_prefix}{job_id}")
        pipe.zscore(queue.key, str(job_id))
        pipe.hgetall(_progress_key(job_id))
        stored_result, stored_job, owner, tries, due, noted = await pipe.execute()
    progress = float(noted[b"progress"]) if b"progress" in noted else None
    if stored_result:
        return _finished(job_id, queue, stored_result, progress)
    if not stored_job:
        return None
    job = deserialize_job(stored_job, deserializer=from_json)
    state = JobState.RUNNING if owner else _waiting_state(due)
    return JobRecord(
        id=job_id,
        queue=queue.name,
        name=job.function,
        state=state,
        attempt=int(tries or 0),
        progress=progress,
        enqueued_at=job.enqueue_time,
        scheduled_for=_from_ms(due) if state is JobState.SCHEDULED else None,
        started_at=_started_at(owner),
    )


def _finished(job_id: UUID, queue: Queue, stored: bytes, progress: float | None) -> JobRecord:
    result = deserialize_result(stored, deserializer=from_json)
    return JobRecord(
        id=job_id,
        queue=queue.name,
        name=result.function,
        state=JobState.SUCCEEDED if result.success else JobState.FAILED,
        attempt=result.job_try,
        progress=progress,
        enqueued_at=result.enqueue_time,
        started_at=result.start_time,
        finished_at=result.finish_time,
        result=result.result if result.success else None,
        error=None if result.success else _describe(result.result),
    )


def _waiting_state(due_ms: float | None) -> JobState:
    later = due_ms is not None and due_ms > time.time() * 1000
    return JobState.SCHEDULED if later else JobState.QUEUED


def _started_at(owner: bytes | None) -> datetime | None:
    """Read the owner's token, which ends with the time; a stock arq worker does not say it."""
    _, slash, started = (owner or b"").rpartition(b"/")
    return _from_ms(float(started)) if slash else None


def _describe(error: JsonValue) -> str:
    match error:
        case {"error": str(name), "message": str(message)}:
            return f"{name}: {message}" if message else name
        case _:
            return str(error)


def _from_ms(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def _progress_key(job_id: UUID) -> str:
    return f"arq:progress:{job_id}"
