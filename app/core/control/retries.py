"""Retry and discard dead letters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import ARRAY, Uuid, any_, bindparam, delete, exists, func, select, update
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

log = structlog.stdlib.get_logger(__name__)

BATCH = 500
"""Dead letters per transaction and per call of a script."""

_other = outbox.alias()
_chosen = any_(bindparam("job_ids", type_=ARRAY(Uuid)))
REVIVE = (
    update(outbox)
    .where(
        outbox.c.id == _chosen,
        dead,
        # Two conditions, each with an index. As one, they would read the whole table.
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


@dataclass(frozen=True, slots=True)
class RetryResult:
    """How many dead letters became jobs again, and how many are left.

    A dead letter is left while a worker holds the job, or while another job has its key.
    """

    retried: int
    left: int


async def retry(sessions: Sessions, queues: QueuePools, job_id: UUID) -> DeadLetterDetails:
    """Give a job that failed for good all of its tries again, the first one at once.

    Raises DeadLetterNotFound, JobHeld, JobAlive when another job has its key, QueueNotFound,
    QueueUnavailable, DatabaseUnavailable.
    """
    letter = await get_dead_letter(sessions, job_id)
    queue = find_queue(queues, letter.queue)
    forgotten = await _forget(queues, queue, [job_id])
    if not forgotten:
        raise JobHeld(job_id)
    if not await _send_again(sessions, queues, forgotten):
        raise await _reason_not_retried(sessions, letter)
    return letter


async def retry_all(sessions: Sessions, queues: QueuePools, kind: str) -> RetryResult:
    """Retry every dead letter of a kind of job.

    Raises QueueUnavailable, DatabaseUnavailable. Some may have been retried then.
    """
    found = retried = 0
    for queue in queues:
        job_ids = await _ids_of_kind(sessions, kind, queue)
        found += len(job_ids)
        for batch in _batches(job_ids):
            retried += await retry_batch(sessions, queues, queue, batch)
    return RetryResult(retried, left=found - retried)


async def discard(sessions: Sessions, job_id: UUID) -> DeadLetterDetails:
    """Delete a dead letter and return it. Raises DeadLetterNotFound, DatabaseUnavailable."""
    letter = await get_dead_letter(sessions, job_id)
    if not await discard_batch(sessions, [job_id]):
        raise DeadLetterNotFound(job_id)
    return letter


async def discard_all(sessions: Sessions, kind: str) -> int:
    """Delete every dead letter of a kind of job and return their number.

    Raises DatabaseUnavailable. Some may have been deleted then.
    """
    discarded = 0
    for batch in _batches(await _ids_of_kind(sessions, kind)):
        discarded += await discard_batch(sessions, batch)
    return discarded


async def retry_batch(
    sessions: Sessions, queues: QueuePools, queue: Queue, job_ids: Sequence[UUID]
) -> int:
    """Retry dead letters of one queue, at most `BATCH`, and return how many became jobs again.

    Raises QueueUnavailable, DatabaseUnavailable.
    """
    return await _send_again(sessions, queues, await _forget(queues, queue, job_ids))


async def _forget(queues: QueuePools, queue: Queue, job_ids: Sequence[UUID]) -> list[UUID]:
    """Make Redis forget jobs, and return those that no worker holds.

    This is the first step, because the queue does not accept a job while it stores the result of
    the job's last try. If this step fails, nothing has changed.
    """
    with queue_client(queues, queue) as redis:
        forget = Call("forget", QueueKeys(queue), [str(each) for each in job_ids])
        [held] = await run_scripts(redis.multiplexed, forget)
    return [each for each in job_ids if str(each).encode() not in held]


async def _send_again(sessions: Sessions, queues: QueuePools, job_ids: Sequence[UUID]) -> int:
    try:
        async with sessions.begin() as session:
            jobs = await _revive(session, job_ids)
    except IntegrityError:
        return 0  # another job took a key at this moment
    try:
        await queues.post(jobs)
    except (RedisError, OSError) as error:
        # Their rows are alive again: the outbox relay sends them.
        log.warning("jobs.not_sent_yet", job_ids=[str(job.id) for job in jobs], error=str(error))
    return len(jobs)


async def _revive(session: AsyncSession, job_ids: Sequence[UUID]) -> list[Envelope]:
    """Turn dead letters into jobs, unless another job has their key, also one of these."""
    rows = await session.execute(REVIVE, {"job_ids": job_ids})
    return [message_of(row) for row in rows]


async def _reason_not_retried(
    sessions: Sessions, letter: DeadLetterDetails
) -> JobAlive | DeadLetterNotFound:
    async with sessions() as session:
        other = await find_by_key(session, letter.key) if letter.key else None
    if letter.key and other:
        return JobAlive(letter.key, other)
    return DeadLetterNotFound(letter.id)


async def discard_batch(sessions: Sessions, job_ids: Sequence[UUID]) -> int:
    """Delete dead letters, at most `BATCH`, and return how many. Raises DatabaseUnavailable."""
    async with sessions.begin() as session:
        return len((await session.execute(DISCARD, {"job_ids": job_ids})).all())


async def _ids_of_kind(sessions: Sessions, kind: str, queue: Queue | None = None) -> list[UUID]:
    ids = select(outbox.c.id).where(dead, outbox.c.name == kind).order_by(outbox.c.failed_at)
    if queue is not None:
        ids = ids.where(outbox.c.queue == queue.name)
    async with sessions() as session:
        return list(await session.scalars(ids))


def _batches(job_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for first in range(0, len(job_ids), BATCH):
        yield job_ids[first : first + BATCH]
