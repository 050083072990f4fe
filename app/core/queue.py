"""Queues, jobs and the typed container of open pools. Importing this calls no infrastructure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from arq import ArqRedis
from arq import Retry as Retry  # noqa: PLC0414  what a handler raises to have its job put off
from pydantic import BaseModel
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


class QueuePools:
    """The open connection pools, one per queue; the process that opened them closes them."""

    def __init__(self, pools: Mapping[Queue, ArqRedis]) -> None:
        self._pools = pools

    def __getitem__(self, queue: Queue) -> ArqRedis:
        return self._pools[queue]

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._pools)

    async def send(
        self,
        job: Job,
        *,
        job_id: UUID | None = None,
        request_id: str | None = None,
        delay: timedelta | None = None,
        at: datetime | None = None,
    ) -> UUID:
        """Put a job on its queue now and return its id; a known id is not sent a second time.

        This promises what Redis promises. Inside a transaction use `uow.enqueue`.
        Raises redis.exceptions.RedisError when Redis does not take it.
        """
        job_id = job_id or uuid7()
        await self[job.queue].enqueue_job(
            type(job).__name__,
            job.model_dump(mode="json"),
            request_id=request_id or current_request_id(),
            _job_id=str(job_id),
            _queue_name=job.queue.key,
            _defer_by=delay,
            _defer_until=at,
        )
        return job_id
