"""Statistics for operators: the worker counts its tries, and records the latest ones.

They are collected in memory and sent about once a second in one round trip, so no job waits for
them. Statistics that have not been sent are lost if the worker is killed or Redis is down.
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
from app.core.broker.keys import activity_name
from app.core.broker.scripts import Call, run_scripts
from app.core.job_store.activity import BOUNDS, DURATION, LIFETIME, OUTCOMES, PICKUP
from app.core.job_store.tries import MAX_RECORDED
from app.core.redis_connections.multiplexed import Argument
from app.core.telemetry.traceparent import recorded_trace_id
from app.core.worker.execution.observers import Observers, TryReport

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = 1.0
"""Seconds until a try is visible to others."""

OTHER = "(other)"
"""The name that counts jobs of unknown classes. A payload can contain any name, and must not create
a counter for each."""

FIELDS = (*OUTCOMES, *PICKUP, *DURATION)
"""The counters of a class and a minute. They are a list, which is faster than a dictionary."""

OUTCOME_FIELDS = {outcome: number for number, outcome in enumerate(OUTCOMES)}
FIRST_PICKUP, FIRST_DURATION = len(OUTCOMES), len(OUTCOMES) + len(PICKUP)

RecentTries = deque[tuple[float, TryReport]]


@asynccontextmanager
async def recording(
    redis: QueueRedis, observers: Observers, names: Collection[str]
) -> AsyncIterator[None]:
    """Record the tries of a worker during the block. `names` are its job classes."""
    recorder = Recorder(redis, names)
    try:
        with observers.observing(recorder.add):
            yield
    finally:
        await recorder.close()


class Recorder:
    """The statistics that a worker has collected but not sent."""

    def __init__(self, redis: QueueRedis, names: Collection[str]) -> None:
        self._redis = redis
        self._names = frozenset(names)
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._reset()

    def add(self, report: TryReport) -> None:
        """Count a try. This runs after each try, and takes about a microsecond."""
        now = time.time()
        minute = int(now // 60)
        counts = self._counts.get((minute, report.name)) or self._add_counts(minute, report.name)
        counts[OUTCOME_FIELDS[report.outcome]] += 1
        if report.pickup_seconds is not None:
            counts[FIRST_PICKUP + bisect_left(BOUNDS, report.pickup_seconds)] += 1
        counts[FIRST_DURATION + bisect_left(BOUNDS, report.duration_seconds)] += 1
        if report.outcome == "succeeded":
            self._finished.append((now, report))
        else:
            self._add_unsuccessful(now, report)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._start_sending)

    def _add_counts(self, minute: int, name: str) -> list[int]:
        """Add and return the counts of a class in a minute. Unknown classes share one."""
        known = name if name in self._names else OTHER
        return self._counts.setdefault((minute, known), [0] * len(FIELDS))

    def _add_unsuccessful(self, now: float, report: TryReport) -> None:
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
        """Send the statistics. They are lost if Redis does not accept them."""
        arguments = self._arguments()
        self._reset()
        try:
            call = Call("record", self._redis.queue_keys, arguments)
            await run_scripts(self._redis.multiplexed, call)
        except (RedisError, OSError) as error:
            log.debug("activity.not_recorded", error=str(error))

    def _reset(self) -> None:
        self._counts: dict[tuple[int, str], list[int]] = {}
        self._finished: RecentTries = deque(maxlen=MAX_RECORDED)
        self._failures: RecentTries = deque(maxlen=MAX_RECORDED)

    def _arguments(self) -> list[Argument]:
        counts = [*self._count_arguments()]
        ended = [*_encode(self._finished)]
        failed = [*_encode(self._failures)]
        sizes = [LIFETIME, MAX_RECORDED, len(counts) // 3, len(ended) // 2]
        return [*sizes, *counts, *ended, *failed]

    def _count_arguments(self) -> Iterator[Argument]:
        """Yield the counts of each class, and the totals of all classes, which have no name."""
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


def _encode(tries: RecentTries) -> Iterator[Argument]:
    """Yield the end of each try, and its record for `parse_try`."""
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
