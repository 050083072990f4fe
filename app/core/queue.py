"""Queues, jobs, and the connection pools of the queues."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import ClassVar, TypeVar
from uuid import UUID

import structlog
from arq import Retry as Retry  # noqa: PLC0414  handlers raise it to postpone a job
from pydantic import BaseModel
from redis.exceptions import RedisError
from uuid_utils.compat import uuid7

from app.core.broker.client import BATCH, QueueRedis
from app.core.broker.message import Envelope
from app.core.broker.payload import payload_of, require_plain_fields
from app.core.logging import current_request_id
from app.core.telemetry.messaging import sending

log = structlog.stdlib.get_logger(__name__)

HIGHEST_PRIORITY = 32_767
"""In minutes: about three weeks."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, whose jobs do not wait for those of other queues.

    It has its own Redis database and its own worker processes. `concurrency` is the number of jobs
    that a process runs at once.
    """

    name: str
    redis_db: int
    concurrency: int


BASE = Queue("base", redis_db=1, concurrency=20)
EMAIL = Queue("email", redis_db=2, concurrency=50)
QUEUES = (BASE, EMAIL)


class Job(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """The arguments of a job. The name of its class is the name of the job.

    class SendWelcomeEmail(Job, queue=EMAIL, max_tries=8, timeout=30):
        user_id: UUID

    A job has up to `max_tries` tries, and each may take `timeout` seconds. A failed try is
    repeated, unless the error is one of `final`. The delay before the second try is at most
    `backoff` seconds, and this limit doubles with each try.
    """

    queue: ClassVar[Queue]
    max_tries: ClassVar[int]
    timeout: ClassVar[float]
    backoff: ClassVar[float]
    final: ClassVar[tuple[type[Exception], ...]]

    def __init_subclass__(
        cls,
        *,
        queue: Queue,
        max_tries: int = 5,
        timeout: float = 300,
        backoff: float = 2,
        final: tuple[type[Exception], ...] = (),
    ) -> None:
        super().__init_subclass__()
        cls.queue, cls.max_tries, cls.timeout = queue, max_tries, timeout
        cls.backoff, cls.final = backoff, final

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """Raise FieldNotPreserved for a field that would reach a worker with another value."""
        require_plain_fields(cls)


SomeJob = TypeVar("SomeJob", bound=Job)


def job_classes(base: type[SomeJob]) -> Iterator[type[SomeJob]]:
    """Yield the classes of jobs, which are those without subclasses."""
    if subclasses := base.__subclasses__():
        for each in subclasses:
            yield from job_classes(each)
    else:
        yield base


def find_job_class(name: str) -> type[Job] | None:
    """Return the class of a job, or None if this process does not know the name."""
    return next((job for job in job_classes(Job) if job.__name__ == name), None)


def to_message(  # noqa: PLR0913  the fields of the envelope
    job: Job,
    *,
    job_id: UUID | None = None,
    delay: timedelta | None = None,
    at: datetime | None = None,
    priority: int = 0,
    durable: bool = False,
) -> Envelope:
    """Return the message of a job that is due after `delay`, `at` a time, or at once.

    Raises ValueError for both a delay and a time, for a time without a time zone, and for a
    priority that is out of range. Raises InvalidJob and PayloadTooLarge, which are ValueErrors.
    """
    if not 0 <= priority <= HIGHEST_PRIORITY:
        raise ValueError(f"a priority is a number from 0 to {HIGHEST_PRIORITY}, not {priority}")
    return Envelope(
        id=job_id or uuid7(),
        queue=job.queue.name,
        name=type(job).__name__,
        payload=payload_of(job),
        request_id=current_request_id(),
        due_at=_due_at(delay, at),
        priority=priority,
        durable=durable,
    )


class QueuePools:
    """The connection pools, one per queue. The process that opened them closes them."""

    def __init__(self, pools: Mapping[Queue, QueueRedis]) -> None:
        self._pools = pools
        self._by_name = {queue.name: queue for queue in pools}

    def __getitem__(self, queue: Queue) -> QueueRedis:
        return self._pools[queue]

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._pools)

    async def send(
        self,
        job: Job,
        *,
        job_id: UUID | None = None,
        delay: timedelta | None = None,
        at: datetime | None = None,
        priority: int = 0,
    ) -> UUID:
        """Send a job to its queue, and return its id. A queue accepts an id once.

        The job is as durable as Redis is. In a transaction, use `uow.enqueue`. Raises
        redis.exceptions.RedisError if Redis does not accept the job.
        """
        envelope = to_message(job, job_id=job_id, delay=delay, at=at, priority=priority)
        await self._send([envelope])
        return envelope.id

    async def send_many(
        self,
        jobs: Iterable[Job],
        *,
        delay: timedelta | None = None,
        at: datetime | None = None,
        priority: int = 0,
    ) -> list[UUID]:
        """Send many jobs, which may belong to several queues, and return their ids in order.

        The jobs are as durable as Redis is. Jobs that must not be lost belong in a transaction with
        `uow.enqueue`. If it raises redis.exceptions.RedisError, some jobs may have been sent.
        """
        job_ids: list[UUID] = []
        remaining = iter(jobs)
        while batch := list(islice(remaining, BATCH)):
            messages = [to_message(job, delay=delay, at=at, priority=priority) for job in batch]
            await self._send(messages)
            job_ids += [message.id for message in messages]
        return job_ids

    async def _send(self, new: Sequence[Envelope]) -> None:
        with sending(new) as sent:
            await self.post([each.sent_in(sent) for each in new] if sent else new)

    async def post(self, envelopes: Sequence[Envelope]) -> None:
        """Send envelopes to their queues. A queue accepts an id once.

        If it raises redis.exceptions.RedisError, some may have been sent.
        """
        by_queue: defaultdict[str, list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            by_queue[envelope.queue].append(envelope)
        for name, batch in by_queue.items():
            await self[self._by_name[name]].send(batch)

    async def post_stored(self, envelopes: Sequence[Envelope]) -> Exception | None:
        """Send jobs that have rows. If Redis does not accept them, return its error.

        The outbox relay of a worker then sends them later.
        """
        try:
            await self.post(envelopes)
        except (RedisError, OSError) as error:
            job_ids = [str(envelope.id) for envelope in envelopes]
            log.warning("jobs.not_sent_yet", job_ids=job_ids, error=str(error))
            return error
        return None


def _due_at(delay: timedelta | None, at: datetime | None) -> datetime | None:
    if delay is not None and at is not None:
        raise ValueError("a job is due either after a delay or at a time, not both")
    if at is not None and at.utcoffset() is None:
        raise ValueError(f"the time {at} has no time zone")
    if delay is None:
        return at
    try:
        return datetime.now(UTC) + delay
    except OverflowError:
        raise ValueError(f"a delay of {delay} ends after the last year") from None
