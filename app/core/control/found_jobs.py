"""The filters and results of a search for jobs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.core.broker.sensitive import sensitive_fields
from app.core.exceptions import BadRequest
from app.core.queue import Job, job_classes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class JobView(StrEnum):
    """The states by which jobs can be listed. A job that waits for its next try is `retrying`."""

    WAITING = "waiting"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    RETRYING = "retrying"
    DEAD = "dead"
    FINISHED = "finished"


class InvalidCursor(BadRequest):
    def __init__(self) -> None:
        super().__init__("The cursor is not from a page of jobs")


class SensitiveArgument(BadRequest):
    def __init__(self, argument: str) -> None:
        super().__init__(f"Jobs cannot be searched by {argument}: its class marks it as sensitive")


class UnknownArguments(BadRequest):
    def __init__(self) -> None:
        super().__init__(
            "The arguments of jobs that ended are not stored. "
            "Search for them by class, request, time, or error"
        )


class SearchTooBroad(BadRequest):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The search did not finish within {seconds:g} s. "
            "Narrow it down by queue, by class, or by time"
        )


class InvalidArgument(BadRequest):
    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not an argument of a job. Write its name and value as a=b")


def arguments_of(texts: Iterable[str]) -> dict[str, str]:
    """Parse arguments such as `user_id=42` or `payload.user_id=42`. Raise InvalidArgument."""
    found = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not (equals and path):
            raise InvalidArgument(text)
        found[path.removeprefix("payload.")] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """The jobs to find. A filter that is None matches every job.

    `since` and `until` compare the time when a job was enqueued. For scheduled jobs, they compare
    the time when it is due, and for ended jobs, the time when it ended. `arguments` maps paths in
    the payload to values as text, such as `{"user_id": "…"}`. `error_class` is the name of an
    exception.
    """

    state: JobView
    queue: str | None = None
    name: str | None = None
    error_class: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    request_id: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise SensitiveArgument, or UnknownArguments for jobs that ended."""
        if self.arguments and self.state is JobView.FINISHED:
            raise UnknownArguments
        for path in self.arguments:
            argument = path.partition(".")[0]
            if any(argument in sensitive_fields(job) for job in job_classes(Job)):
                raise SensitiveArgument(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """A job of a list. `attempt` is the number of tries, or None if it is unknown.

    `state` is `succeeded`, `failed`, or `cancelled` for a job that ended, and else the JobView.
    """

    id: UUID
    queue: str
    name: str
    state: str
    attempt: int | None = None
    enqueued_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None
    error: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """A page of jobs. `cursor` continues after it, and is None at the end.

    A short or empty page can have a cursor, if many of the scanned jobs did not match.
    """

    data: Sequence[FoundJob]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A position in a sorted list: the time by which it is sorted, and the id of the job."""

    time: datetime
    id: UUID

    def encode(self) -> str:
        return f"{(self.time - EPOCH) // MICROSECOND}.{self.id}"

    @classmethod
    def decode(cls, cursor: str) -> "Position":
        """Raise InvalidCursor."""
        microseconds, _, job_id = cursor.partition(".")
        try:
            return cls(EPOCH + int(microseconds) * MICROSECOND, UUID(job_id))
        except (ValueError, OverflowError):
            raise InvalidCursor from None
