"""An overview of all queues, which stays fast with many jobs and dead letters.

It queries each queue's Redis once and PostgreSQL once, all at the same time. Redis has exact counts
of due, running, and scheduled jobs. Rows are counted up to a limit, because an exact count of a
million rows takes a third of a second.
"""

from asyncio import create_task, wait
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.broker.keys import WORKER_LIFETIME, QueueKeys
from app.core.broker.scripts import Call, run_scripts
from app.core.control.limits import QueueLimits
from app.core.control.queues import QueueUnavailable, find_queue, queue_client
from app.core.control.row_counts import NO_ROWS, Count, RowCounts, count_rows
from app.core.job_store.activity import Activity, ActivitySummary, jobs_ended, parse_counts
from app.core.postgres.reader import Reader
from app.core.queue import Queue, QueuePools

MINUTES = 60
"""The period of the sparkline and of the percentiles."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """The number of jobs that ended in a period."""

    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOverview:
    """A queue that is in the code. Ages are in seconds.

    `due` jobs wait for a worker. `scheduled` jobs wait for their time, and include the `retrying`
    jobs, which wait for their next try. `slots` is how many jobs the live workers can run at once
    within the concurrency limit. `rate` is the number of jobs that ended per second in the last
    full minute of the clock. `last_hour` and `ended` cover the last 60 minutes, including the
    current one. `ended` has the number of jobs that ended in each of them. `postponed` counts by
    name the jobs that wait for a worker of another release.
    """

    queue: str
    due: int
    oldest_due_age: float | None
    running: int
    slots: int
    scheduled: Count
    retrying: int
    workers: int
    rate: float
    last_minute: Throughput
    last_five_minutes: Throughput
    last_hour: ActivitySummary
    ended: tuple[int, ...]
    limits: QueueLimits
    dead: Count
    outbox: Count
    oldest_outbox_age: float | None
    postponed: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownQueue:
    """The rows of a queue that is not in the code. No worker of this release runs its jobs."""

    queue: str
    dead: Count
    outbox: Count
    oldest_outbox_age: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The state of all queues. The Redis of the `unavailable` ones does not respond."""

    queues: Sequence[QueueOverview]
    unknown: Sequence[UnknownQueue]
    unavailable: Sequence[QueueUnavailable]

    @property
    def workers(self) -> int:
        return sum(queue.workers for queue in self.queues)

    @property
    def dead(self) -> Count:
        return Count.sum(each.dead for each in self._all)

    @property
    def outbox(self) -> Count:
        return Count.sum(each.outbox for each in self._all)

    @property
    def oldest_outbox_age(self) -> float | None:
        ages = (each.oldest_outbox_age for each in self._all)
        return max((age for age in ages if age is not None), default=None)

    @property
    def _all(self) -> list[QueueOverview | UnknownQueue]:
        return [*self.queues, *self.unknown]


async def overview(reader: Reader, queues: QueuePools) -> Overview:
    """Return the state of all queues. Raises DatabaseUnavailable."""
    rows, replies = await _collect(reader, queues, [*queues])
    known = {queue.name for queue in queues}
    return Overview(
        queues=[
            _queue_overview(queue, reply, rows.get(queue.name, NO_ROWS))
            for queue, reply in zip(queues, replies, strict=True)
            if not isinstance(reply, QueueUnavailable)
        ],
        unknown=[
            UnknownQueue(
                queue=name,
                dead=counts.dead,
                outbox=counts.alive,
                oldest_outbox_age=counts.oldest_age,
            )
            for name, counts in sorted(rows.items())
            if name not in known
        ],
        unavailable=[reply for reply in replies if isinstance(reply, QueueUnavailable)],
    )


async def queue_overview(reader: Reader, queues: QueuePools, name: str) -> QueueOverview:
    """Return the state of one queue.

    Raises QueueNotFound, QueueUnavailable, or DatabaseUnavailable.
    """
    queue = find_queue(queues, name)
    rows, [reply] = await _collect(reader, queues, [queue])
    if isinstance(reply, QueueUnavailable):
        raise reply
    return _queue_overview(queue, reply, rows.get(queue.name, NO_ROWS))


async def _collect(
    reader: Reader, queues: QueuePools, chosen: Sequence[Queue]
) -> tuple[dict[str, RowCounts], Sequence[list[Any] | QueueUnavailable]]:
    """Query all servers at the same time, and wait for all of them, even if one is down."""
    tasks = [create_task(_read_stats(queues, queue)) for queue in chosen]
    try:
        rows = await count_rows(reader)
    finally:
        await wait(tasks)
    return rows, [task.result() for task in tasks]


async def _read_stats(queues: QueuePools, queue: Queue) -> list[Any] | QueueUnavailable:
    """Return the reply of the script `stats`, or why there is none."""
    stats = Call("stats", QueueKeys(queue), [WORKER_LIFETIME, MINUTES])
    try:
        with queue_client(queues, queue) as redis:
            [reply] = await run_scripts(redis.multiplexed, stats)
    except QueueUnavailable as failure:
        return failure
    return list(reply)


def _queue_overview(queue: Queue, reply: list[Any], rows: RowCounts) -> QueueOverview:
    due, oldest_ms, running, scheduled, workers, *ended = reply[:9]
    limits, (retrying, slots, postponed, minutes) = QueueLimits.parse(*reply[9:12]), reply[12:]
    last_minute, last_five_minutes = Throughput(*ended[:2]), Throughput(*ended[2:])
    counts = [parse_counts(minute) for minute in minutes]
    return QueueOverview(
        queue=queue.name,
        due=due,
        oldest_due_age=oldest_ms / 1000 if oldest_ms >= 0 else None,
        running=running,
        slots=min(slots, limits.concurrency or slots),
        scheduled=rows.beyond_horizon.plus(scheduled),
        retrying=retrying,
        workers=workers,
        rate=(last_minute.succeeded + last_minute.failed) / 60,
        last_minute=last_minute,
        last_five_minutes=last_five_minutes,
        last_hour=ActivitySummary.of(Activity.of(counts)),
        ended=tuple(map(jobs_ended, counts)),
        limits=limits,
        dead=rows.dead,
        outbox=rows.alive,
        oldest_outbox_age=rows.oldest_age,
        postponed=_count_by_name(postponed),
    )


def _count_by_name(postponed: Sequence[bytes]) -> dict[str, int]:
    names = (value.decode(errors="replace").partition("/")[2] for value in postponed)
    return dict(Counter(names).most_common())
