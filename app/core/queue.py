"""Queues, jobs and the typed container of open pools. Importing this calls no infrastructure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID

from arq import Retry as Retry  # noqa: PLC0414  what a handler raises to have its job put off
from pydantic import BaseModel
from pydantic_core import to_json
from uuid_utils.compat import uuid7

from app.core.envelope import Envelope
from app.core.logging import current_request_id
from app.core.queue_redis import QueueRedis

KEY_PREFIX = "arq:queue:"

HIGHEST_PRIORITY = 32_767
"""In minutes: some three weeks of waiting."""


LARGEST_PAYLOAD = 65_536
"""In bytes of JSON: a job is written, sent and kept several times over."""


class PayloadTooLarge(ValueError):
    def __init__(self, job: str, size: int) -> None:
        super().__init__(
            f"{job} has {size} bytes of arguments, more than {LARGEST_PAYLOAD}. "
            "Store them and let the job carry their id"
        )


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


def address(  # noqa: PLR0913  what the envelope says
    job: Job,
    *,
    job_id: UUID | None = None,
    delay: timedelta | None = None,
    at: datetime | None = None,
    priority: int = 0,
    kept: bool = False,
) -> Envelope:
    """Put a job into an envelope, due after `delay` or `at` a time, else at once.

    Raises ValueError for both a delay and a time, and for a priority that is out of range;
    PayloadTooLarge.
    """
    if delay is not None and at is not None:
        raise ValueError("a job is due either after a delay or at a time, not both")
    if not 0 <= priority <= HIGHEST_PRIORITY:
        raise ValueError(f"a priority is a number from 0 to {HIGHEST_PRIORITY}, not {priority}")
    payload = job.model_dump(mode="json")
    if (size := len(to_json(payload))) > LARGEST_PAYLOAD:
        raise PayloadTooLarge(type(job).__name__, size)
    return Envelope(
        id=job_id or uuid7(),
        queue=job.queue.name,
        name=type(job).__name__,
        payload=payload,
        request_id=current_request_id(),
        due_at=at if delay is None else datetime.now(UTC) + delay,
        priority=priority,
        kept=kept,
    )


class QueuePools:
    """The open connection pools, one per queue; the process that opened them closes them."""

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
        """Put a job on its queue now and return its id; a known id is not sent a second time.

        This promises what Redis promises. Inside a transaction use `uow.enqueue`.
        Raises redis.exceptions.RedisError when Redis does not take it.
        """
        envelope = address(job, job_id=job_id, delay=delay, at=at, priority=priority)
        await self.post([envelope])
        return envelope.id

    async def post(self, envelopes: Sequence[Envelope]) -> None:
        """Put envelopes on their queues, each unless its queue knows the id.

        Raises redis.exceptions.RedisError; some may have been sent then.
        """
        by_queue: defaultdict[str, list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            by_queue[envelope.queue].append(envelope)
        for name, batch in by_queue.items():
            await self[self._by_name[name]].send(batch)
