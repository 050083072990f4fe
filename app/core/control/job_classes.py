"""Statistics of the job classes, their recent failures, and their places in the code."""

import time
from asyncio import gather
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from app.core.broker.keys import QueueKeys
from app.core.broker.sensitive import sensitive_fields
from app.core.control.queues import execute
from app.core.control.workers import live_workers
from app.core.exceptions import NotFound
from app.core.job_store.activity import (
    BOUNDS,
    Activity,
    ActivitySummary,
    Counts,
    jobs_ended,
    parse_counts,
)
from app.core.job_store.tries import RecordedTry, parse_try
from app.core.queue import Job, Queue, QueuePools, find_job_class
from app.core.queue import job_classes as all_classes
from app.core.telemetry.code_places import place_of_class

HOUR, DAY = 60, 1_440
"""Minutes of activity."""

MAX_FAILURES = 20
"""The number of failed tries on a page."""


class JobClassNotFound(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"This release has no job class {name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Histograms:
    """Histograms of how long tries waited and took.

    `bounds` are the upper limits of the buckets in seconds. A last bucket has the longer tries.
    """

    bounds: tuple[float, ...]
    pickup: tuple[int, ...]
    duration: tuple[int, ...]

    @classmethod
    def of(cls, activity: Activity) -> "Histograms":
        return cls(bounds=BOUNDS, pickup=activity.pickup.counts, duration=activity.duration.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClass:
    """A job class of this release, with the tries of the last hour.

    `ended` has the number of jobs that ended, for each of the last 60 minutes.
    """

    name: str
    queue: str
    max_tries: int
    timeout: float
    backoff: float
    last_hour: ActivitySummary
    ended: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobField:
    name: str
    type: str
    is_required: bool
    is_sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClassDetails:
    """A job class, its fields, and its code.

    `source` and `handler` are places in the code, such as `app/workers/jobs.py:35`. `handler` is
    None if no live worker has the class. The histograms cover the last 24 hours. `ended_by_hour`
    has the number of jobs that ended, for each of these hours.
    """

    summary: JobClass
    doc: str | None
    fields: Sequence[JobField]
    final: Sequence[str]
    source: str
    handler: str | None
    last_day: ActivitySummary
    histograms: Histograms
    ended_by_hour: tuple[int, ...]
    recent_failures: Sequence[RecordedTry]


def get_job_class(name: str) -> type[Job]:
    """Return the class of a job. Raises JobClassNotFound."""
    if (job := find_job_class(name)) is None:
        raise JobClassNotFound(name)
    return job


async def list_job_classes(queues: QueuePools) -> list[JobClass]:
    """List the job classes of this release, sorted by name. Raises QueueUnavailable."""
    known = {queue.name for queue in queues}
    classes = {job.__name__: job for job in all_classes(Job) if hasattr(job, "queue")}
    chosen = [classes[name] for name in sorted(classes) if classes[name].queue.name in known]
    minutes = await gather(*(_minutes(queues, job.queue, job.__name__, HOUR) for job in chosen))
    return [_summary(job, each) for job, each in zip(chosen, minutes, strict=True)]


async def job_class_details(queues: QueuePools, name: str) -> JobClassDetails:
    """Return the details of a job class. Raises JobClassNotFound or QueueUnavailable."""
    job = get_job_class(name)
    if job.queue not in [*queues]:
        raise JobClassNotFound(name)
    minutes, failures, workers = await gather(
        _minutes(queues, job.queue, name, DAY),
        _failures(queues, job.queue, name),
        live_workers(queues, job.queue),
    )
    handlers = [worker.handlers[name] for worker in workers if name in worker.handlers]
    day, ended = Activity.of(minutes), [jobs_ended(minute) for minute in minutes]
    return JobClassDetails(
        summary=_summary(job, minutes[-HOUR:]),
        doc=job.__doc__,
        fields=_fields(job),
        final=[error.__name__ for error in job.final],
        source=place_of_class(job),
        handler=handlers[-1] if handlers else None,
        last_day=ActivitySummary.of(day),
        histograms=Histograms.of(day),
        ended_by_hour=tuple(sum(ended[first : first + HOUR]) for first in range(0, DAY, HOUR)),
        recent_failures=failures,
    )


def _summary(job: type[Job], minutes: Sequence[Counts]) -> JobClass:
    return JobClass(
        name=job.__name__,
        queue=job.queue.name,
        max_tries=job.max_tries,
        timeout=job.timeout,
        backoff=job.backoff,
        last_hour=ActivitySummary.of(Activity.of(minutes)),
        ended=tuple(map(jobs_ended, minutes)),
    )


def _fields(job: type[Job]) -> list[JobField]:
    sensitive = sensitive_fields(job)
    return [
        JobField(
            name=name,
            type=str(getattr(field.annotation, "__name__", field.annotation)),
            is_required=field.is_required(),
            is_sensitive=name in sensitive,
        )
        for name, field in job.model_fields.items()
    ]


async def _minutes(queues: QueuePools, queue: Queue, name: str, count: int) -> list[dict[str, int]]:
    """Return the counts of the last minutes, including the current one."""
    keys, current = QueueKeys(queue), int(time.time() // 60)
    hashes = [keys.activity(each, name) for each in range(current - count + 1, current + 1)]
    replies = await execute(queues, queue, *(("HGETALL", key) for key in hashes))
    return [parse_counts(reply) for reply in replies]


async def _failures(queues: QueuePools, queue: Queue, name: str) -> list[RecordedTry]:
    """Return the latest failed tries of a class, newest first."""
    [lines] = await execute(queues, queue, ("ZRANGE", QueueKeys(queue).failures, 0, -1))
    tries = (parse_try(queue.name, line) for line in reversed(lines))
    found = (each for each in tries if each is not None and each.name == name)
    return [*islice((each for each in found if each.outcome != "interrupted"), MAX_FAILURES)]
