"""Queues, jobs and the typed container of open pools. Importing this calls no infrastructure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID

from arq import ArqRedis
from arq import Retry as Retry  # noqa: PLC0414  what a handler raises to have its job put off
from pydantic import BaseModel, JsonValue
from uuid_utils.compat import uuid7

from app.core.logging import current_request_id

KEY_PREFIX = "arq:queue:"


@dataclass(frozen=True, slots=True)
class Queue:
    """A kind of work that must not wait for any other kind.

    It has a Redis database and a worker process of its own; `concurrency` is how many jobs one
    such process runs at once.
    """

    name: str
    redis_db: int
    concurrency: int

    @property
    def key(self) -> str:
        """The sorted set that holds the ids of waiting jobs by due time."""
        return f"{KEY_PREFIX}{self.name}"


BASE = Queue("base", redis_db=1, concurrency=20)
EMAIL = Queue("email", redis_db=2, concurrency=50)
QUEUES = (BASE, EMAIL)


class Job(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """A small frozen value that says what should happen: the class is the job's name.

    class SendWelcomeEmail(Job, queue=EMAIL, max_tries=8, timeout=30):
        user_id: UUID

    `timeout` is in seconds, for one try. A failed try is followed by another, up to `max_tries`
    in all, unless its error is one of `final`; the longest pause before the second try is
    `backoff` seconds, and it doubles from try to try.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A job on its way to its queue. `kept` says that the outbox has a row of it."""

    id: UUID
    queue: str
    name: str
    payload: dict[str, JsonValue]
    request_id: str | None
    due_at: datetime | None = None
    kept: bool = False


def address(
    job: Job,
    *,
    job_id: UUID | None = None,
    delay: timedelta | None = None,
    at: datetime | None = None,
    kept: bool = False,
) -> Envelope:
    """Put a job into an envelope, due after `delay` or `at` a time, else at once.

    Raises ValueError for both a delay and a time.
    """
    if delay is not None and at is not None:
        raise ValueError("a job is due either after a delay or at a time, not both")
    return Envelope(
        id=job_id or uuid7(),
        queue=job.queue.name,
        name=type(job).__name__,
        payload=job.model_dump(mode="json"),
        request_id=current_request_id(),
        due_at=at if delay is None else datetime.now(UTC) + delay,
        kept=kept,
    )


class QueuePools:
    """The open connection pools, one per queue; the process that opened them closes them."""

    def __init__(self, pools: Mapping[Queue, ArqRedis]) -> None:
        self._pools = pools
        self._by_name = {queue.name: queue for queue in pools}

    def __getitem__(self, queue: Queue) -> ArqRedis:
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
    ) -> UUID:
        """Put a job on its queue now and return its id; a known id is not sent a second time.

        This promises what Redis promises. Inside a transaction use `uow.enqueue`.
        Raises redis.exceptions.RedisError when Redis does not take it.
        """
        envelope = address(job, job_id=job_id, delay=delay, at=at)
        await self.post(envelope)
        return envelope.id

    async def post(self, envelope: Envelope) -> None:
        """Put an envelope on its queue, unless the queue knows its id."""
        queue = self._by_name[envelope.queue]
        await self[queue].enqueue_job(
            envelope.name,
            envelope.payload,
            request_id=envelope.request_id,
            kept=envelope.kept,
            _job_id=str(envelope.id),
            _queue_name=queue.key,
            _defer_until=envelope.due_at,
        )
