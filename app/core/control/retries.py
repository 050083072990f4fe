"""Retries and discards of dead letters."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, delete, exists, func, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.broker.keys import QueueKeys
from app.core.broker.message import Envelope
from app.core.broker.scripts import Call, run_scripts
from app.core.control.dead_letters import (
    DeadLetterDetails,
    DeadLetterNotFound,
    dead,
    get_dead_letter,
)
from app.core.control.queues import find_queue, queue_client
from app.core.database import Sessions
from app.core.exceptions import Conflict
from app.core.job_store.outbox import GRACE, JobAlive, find_by_key, message_of, outbox
from app.core.queue import Queue, QueuePools

BATCH = 500
"""Dead letters per transaction and per script call."""

_other = outbox.alias()
_chosen = any_(bindparam("job_ids", type_=ARRAY(Uuid)))
REQUEUE = (
    update(outbox)
    .where(
        outbox.c.id == _chosen,
        dead,
        # Each condition uses an index. A single condition would scan the whole table.
        ~exists().where(_other.c.key == outbox.c.key, _other.c.failed_at.is_(None)),
        ~exists().where(
            _other.c.key == outbox.c.key, _other.c.id == _chosen, _other.c.id > outbox.c.id
        ),
    )
    .values(
        failed_at=None,
        attempts=None,
        crashes=None,
        error=None,
        traceback=None,
        due_at=None,
        check_at=func.clock_timestamp() + GRACE,
    )
    .returning(outbox)
)
DISCARD = delete(outbox).where(outbox.c.id == _chosen, dead).returning(outbox.c.id)


class JobHeld(Conflict):
    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"A worker still holds the job {job_id}. Try again in a moment")


async def retry(sessions: Sessions, queues: QueuePools, job_id: UUID) -> DeadLetterDetails:
    """Retry a dead letter at once, with all of its tries.

    Raises DeadLetterNotFound, JobHeld, JobAlive if another job has its key, QueueNotFound,
    QueueUnavailable, or DatabaseUnavailable.
    """
    dead_letter = await get_dead_letter(sessions, job_id)
    queue = find_queue(queues, dead_letter.queue)
    forgotten = await _forget(queues, queue, [job_id])
    if not forgotten:
        raise JobHeld(job_id)
    if not await _requeue(sessions, queues, forgotten):
        raise await _reason_not_retried(sessions, dead_letter)
    return dead_letter


async def discard(sessions: Sessions, job_id: UUID) -> DeadLetterDetails:
    """Delete a dead letter, and return it. Raises DeadLetterNotFound or DatabaseUnavailable."""
    dead_letter = await get_dead_letter(sessions, job_id)
    if not await discard_batch(sessions, [job_id]):
        raise DeadLetterNotFound(job_id)
    return dead_letter


async def retry_batch(
    sessions: Sessions, queues: QueuePools, queue: Queue, job_ids: Sequence[UUID]
) -> int:
    """Retry at most `BATCH` dead letters of one queue, and return how many were retried.

    Raises QueueUnavailable or DatabaseUnavailable.
    """
    return await _requeue(sessions, queues, await _forget(queues, queue, job_ids))


async def discard_batch(sessions: Sessions, job_ids: Sequence[UUID]) -> int:
    """Delete at most `BATCH` dead letters, and return how many. Raises DatabaseUnavailable."""
    async with sessions.begin() as session:
        return len((await session.execute(DISCARD, {"job_ids": job_ids})).all())


async def _forget(queues: QueuePools, queue: Queue, job_ids: Sequence[UUID]) -> list[UUID]:
    """Delete the results of jobs from Redis, and return the jobs that no worker holds.

    This is the first step, because the queue does not accept a job while it stores the result of
    the job's last try. If it fails, nothing has changed.
    """
    with queue_client(queues, queue) as redis:
        forget = Call("forget", QueueKeys(queue), [str(each) for each in job_ids])
        [held] = await run_scripts(redis.multiplexed, forget)
    return [each for each in job_ids if str(each).encode() not in held]


async def _requeue(sessions: Sessions, queues: QueuePools, job_ids: Sequence[UUID]) -> int:
    try:
        async with sessions.begin() as session:
            jobs = await _requeue_rows(session, job_ids)
    except IntegrityError:
        return 0  # another job has just taken one of the keys
    await queues.post_stored(jobs)
    return len(jobs)


async def _requeue_rows(session: AsyncSession, job_ids: Sequence[UUID]) -> list[Envelope]:
    """Turn dead letters into waiting jobs, except those whose key another job has.

    If several of these dead letters have the same key, only the newest is requeued.
    """
    rows = await session.execute(REQUEUE, {"job_ids": job_ids})
    return [message_of(row) for row in rows]


async def _reason_not_retried(
    sessions: Sessions, dead_letter: DeadLetterDetails
) -> JobAlive | DeadLetterNotFound:
    async with sessions() as session:
        other = await find_by_key(session, dead_letter.key) if dead_letter.key else None
    if dead_letter.key and other:
        return JobAlive(dead_letter.key, other)
    return DeadLetterNotFound(dead_letter.id)
