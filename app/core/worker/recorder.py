"""Counts the tries of a worker, and remembers the last ones, for those who operate the queue.

Everything is kept in memory and sent about once a second, in one round trip: no job waits for it.
What a worker has not sent is lost when it is killed, or when Redis is away at that moment.
"""

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager

import pydantic_core
import structlog
from redis.exceptions import RedisError

from app.core.broker.client import QueueRedis
from app.core.broker.connection import Argument
from app.core.broker.keys import activity_name
from app.core.broker.scripts import Call, run_scripts
from app.core.job_store.activity import BOUNDS, DURATION, LIFETIME, OUTCOMES, PICKUP
from app.core.job_store.attempts import KEPT
from app.core.telemetry.traceparent import recorded_trace_id
from app.core.worker.execution.observers import Observers, TryReport

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = 1.0
"""Seconds from a try to the moment at which others see it."""

OTHER = "(other)"
"""The name under which jobs are counted whose class this release does not know. A payload can name
any class, and there must be no count for each."""

FIELDS = (*OUTCOMES, *PICKUP, *DURATION)
"""What is counted, in the order of a list: a try costs less time so than with a dictionary."""

OUTCOME_FIELDS = {outcome: number for number, outcome in enumerate(OUTCOMES)}
FIRST_PICKUP, FIRST_DURATION = len(OUTCOMES), len(OUTCOMES) + len(PICKUP)

Remembered = deque[tuple[float, TryReport]]


@asynccontextmanager
async def recording(
    redis: QueueRedis, observers: Observers, names: Collection[str]
) -> AsyncIterator[None]:
    """Record the tries of a worker for as long as the block lasts. `names` are its job classes."""
    recorder = Recorder(redis, names)
    try:
        with observers.observing(recorder.add):
            yield
    finally:
        await recorder.close()


class Recorder:
    """What a worker has counted and not sent yet."""

    def __init__(self, redis: QueueRedis, names: Collection[str]) -> None:
        self._redis = redis
        self._names = frozenset(names)
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._forget()

    def add(self, report: TryReport) -> None:
        """Count a try. This runs once per try, between two jobs, and costs about a microsecond."""
        now = time.time()
        minute = int(now // 60)
        counts = self._counts.get((minute, report.name)) or self._begin(minute, report.name)
        counts[OUTCOME_FIELDS[report.outcome]] += 1
        if report.pickup_seconds is not None:
            counts[FIRST_PICKUP + bisect_left(BOUNDS, report.pickup_seconds)] += 1
        counts[FIRST_DURATION + bisect_left(BOUNDS, report.duration_seconds)] += 1
        if report.outcome == "succeeded":
            self._finished.append((now, report))
        else:
            self._remember_other(now, report)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._start_sending)

    def _begin(self, minute: int, name: str) -> list[int]:
        """Return the counts of a class in a minute, those of all others for an unknown class."""
        known = name if name in self._names else OTHER
        return self._counts.setdefault((minute, known), [0] * len(FIELDS))

    def _remember_other(self, now: float, report: TryReport) -> None:
        if report.outcome != "cancelled":
            self._failures.append((now, report))
        if report.outcome in {"failed", "cancelled"}:
            self._finished.append((now, report))

    async def close(self) -> None:
        """Send the rest."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            await self._sending
        if self._counts:
            await self._send()

    def _start_sending(self) -> None:
        self._timer = None
        self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        """Send what has been counted. What Redis does not take is lost: it is not worth a queue."""
        arguments = self._arguments()
        self._forget()
        try:
            call = Call("record", self._redis.queue_keys, arguments)
            await run_scripts(self._redis.multiplexed, call)
        except (RedisError, OSError) as error:
            log.debug("activity.not_recorded", error=str(error))

    def _forget(self) -> None:
        self._counts: dict[tuple[int, str], list[int]] = {}
        self._finished: Remembered = deque(maxlen=KEPT)
        self._failures: Remembered = deque(maxlen=KEPT)

    def _arguments(self) -> list[Argument]:
        counts = [*self._counted()]
        ended = [*_encoded(self._finished)]
        failed = [*_encoded(self._failures)]
        sizes = [LIFETIME, KEPT, len(counts) // 3, len(ended) // 2]
        return [*sizes, *counts, *ended, *failed]

    def _counted(self) -> Iterator[Argument]:
        """Yield each count, and those of all classes together, which have no name."""
        totals: dict[int, list[int]] = {}
        for (minute, name), counts in self._counts.items():
            total = totals.setdefault(minute, [0] * len(FIELDS))
            for number, count in enumerate(counts):
                total[number] += count
            yield from _fields(activity_name(minute, name), counts)
        for minute, total in totals.items():
            yield from _fields(activity_name(minute), total)


def _fields(activity: str, counts: Sequence[int]) -> Iterator[Argument]:
    for field, count in zip(FIELDS, counts, strict=True):
        if count:
            yield from (activity, field, count)


def _encoded(tries: Remembered) -> Iterator[Argument]:
    """Yield when each try ended, and what `parse_try` reads."""
    for ended, report in tries:
        ended_ms = round(ended * 1000)
        yield ended_ms
        yield pydantic_core.to_json(
            (
                report.job_id,
                report.name,
                report.attempt,
                report.outcome,
                ended_ms,
                report.duration_seconds,
                report.pickup_seconds,
                report.error_class,
                report.request_id,
                recorded_trace_id(report.traceparent),
            )
        )
