"""Deciding about dead letters: another round of tries, or none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import and_, delete, exists, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.control.letters import DeadLetterDetails, DeadLetterNotFound, dead, dead_letter
from app.core.control.reach import keys_of, queue_named, reaching
from app.core.envelope import Envelope
from app.core.exceptions import Conflict
from app.core.outbox import JobAlive, envelope_of, find_alive, outbox
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.scripts import Call, run_scripts

log = structlog.stdlib.get_logger(__name__)

BATCH = 500
"""Dead letters of one transaction and one call of a script."""


class JobHeld(Conflict):
    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"A worker still holds the job {job_id}. Try again in a moment")


@dataclass(frozen=True, slots=True)
class Retried:
    """How many dead letters became jobs again, and how many stayed.

    One stays while a worker holds the job, or another job has its key.
    """

    retried: int
    left: int


async def retry(resources: Resources, job_id: UUID) -> DeadLetterDetails:
    """Give a job that failed for good all of its tries again, the first one at once.

    Raises DeadLetterNotFound, JobHeld, JobAlive where another job has its key by now,
    QueueNotFound, QueueUnavailable, DatabaseUnavailable.
    """
    letter = await dead_letter(resources, job_id)
    queue = queue_named(resources.queues, letter.queue)
    free = await _forget(resources, queue, [job_id])
    if not free:
        raise JobHeld(job_id)
    if not await _send_again(resources, queue, free):
        async with resources.unit_of_work() as uow:
            other = await find_alive(uow.session, letter.key) if letter.key else None
        if letter.key and other:
            raise JobAlive(letter.key, other)
        raise DeadLetterNotFound(job_id)
    return letter


async def retry_all(resources: Resources, kind: str) -> Retried:
    """Retry every dead letter of a kind of job.

    Raises QueueUnavailable, DatabaseUnavailable; then some may have been retried.
    """
    found = retried = 0
    for queue in resources.queues:
        job_ids = await _ids_of_kind(resources, kind, queue)
        found += len(job_ids)
        for batch in _batches(job_ids):
            free = await _forget(resources, queue, batch)
            retried += await _send_again(resources, queue, free)
    return Retried(retried, left=found - retried)


async def discard(resources: Resources, job_id: UUID) -> DeadLetterDetails:
    """Delete a dead letter, and return it. Raises DeadLetterNotFound, DatabaseUnavailable."""
    letter = await dead_letter(resources, job_id)
    if not await _remove(resources, [job_id]):
        raise DeadLetterNotFound(job_id)
    return letter


async def discard_all(resources: Resources, kind: str) -> int:
    """Delete every dead letter of a kind of job, and return how many there were.

    Raises DatabaseUnavailable; then some may have been deleted.
    """
    discarded = 0
    for batch in _batches(await _ids_of_kind(resources, kind)):
        discarded += await _remove(resources, batch)
    return discarded


async def _forget(resources: Resources, queue: Queue, job_ids: Sequence[UUID]) -> list[UUID]:
    """Have Redis forget jobs, and return those that no worker holds.

    This comes first: a row that is alive again while Redis has the result of its last try would
    not be sent, and until then nothing has changed.
    """
    keys = keys_of(queue, "running", "crashes", "priority", "later")
    with reaching(queue, resources.queues) as redis:
        [held] = await run_scripts(
            redis.wire, Call("forget", keys, [str(each) for each in job_ids])
        )
    return [each for each in job_ids if str(each).encode() not in held]


async def _send_again(resources: Resources, queue: Queue, job_ids: Sequence[UUID]) -> int:
    try:
        async with resources.unit_of_work() as uow:
            jobs = await _revive(uow.session, job_ids)
    except IntegrityError:
        return 0  # another job took a key at this moment
    try:
        await resources.queues.post(jobs)
    except (RedisError, OSError) as error:
        # They are rows again: a sweeper sends them.
        log.warning("jobs.not_sent_yet", queue=queue.name, count=len(jobs), error=str(error))
    return len(jobs)


async def _revive(session: AsyncSession, job_ids: Sequence[UUID]) -> list[Envelope]:
    """Make dead letters jobs again, except where another job has the key, also one of these."""
    other = outbox.alias()
    key_is_taken = exists().where(
        other.c.key == outbox.c.key,
        or_(
            other.c.failed_at.is_(None),
            and_(other.c.id.in_(job_ids), other.c.id > outbox.c.id),
        ),
    )
    rows = await session.execute(
        update(outbox)
        .where(outbox.c.id.in_(job_ids), dead, ~key_is_taken)
        .values(
            failed_at=None,
            attempts=None,
            crashes=None,
            error=None,
            traceback=None,
            due_at=None,
            check_at=func.now() + text("interval '5 seconds'"),
        )
        .returning(outbox)
    )
    return [envelope_of(row) for row in rows]


async def _remove(resources: Resources, job_ids: Sequence[UUID]) -> int:
    letters = delete(outbox).where(outbox.c.id.in_(job_ids), dead).returning(outbox.c.id)
    async with resources.unit_of_work() as uow:
        return len((await uow.session.execute(letters)).all())


async def _ids_of_kind(resources: Resources, kind: str, queue: Queue | None = None) -> list[UUID]:
    ids = select(outbox.c.id).where(dead, outbox.c.name == kind).order_by(outbox.c.failed_at)
    if queue is not None:
        ids = ids.where(outbox.c.queue == queue.name)
    async with resources.unit_of_work() as uow:
        return list(await uow.session.scalars(ids))


def _batches(job_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for first in range(0, len(job_ids), BATCH):
        yield job_ids[first : first + BATCH]
