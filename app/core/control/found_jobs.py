"""What a search for jobs takes and returns."""

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
        super().__init__("The cursor is not one that a page of jobs ended with")


class SensitiveArgument(BadRequest):
    def __init__(self, argument: str) -> None:
        super().__init__(f"Jobs cannot be searched by {argument}: its class marks it as sensitive")


class UnknownArguments(BadRequest):
    def __init__(self) -> None:
        super().__init__(
            "Jobs that ended are remembered without their arguments. "
            "Search them by class, request, time, or error"
        )


class SearchTooBroad(BadRequest):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The search did not end within {seconds:g} s. "
            "Narrow it down: by queue, by class, or by time"
        )


class InvalidArgument(BadRequest):
    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no argument of a job: write its name and its value, a=b")


def arguments_of(texts: Iterable[str]) -> dict[str, str]:
    """Read arguments such as `user_id=42`, also with `payload.` before. Raise InvalidArgument."""
    found = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not (equals and path):
            raise InvalidArgument(text)
        found[path.removeprefix("payload.")] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to find. None means all.

    `since` and `until` are about when a job was enqueued, when it is due if it is scheduled, and
    when it ended if it has. `arguments` are paths into the payload and their values as text, such
    as `{"user_id": "…"}`. `error_class` is the name of an exception.
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
    """A job of a list. `attempt` counts the tries, None where they are not known.

    `state` is how the job ended if it has: succeeded, failed, or cancelled.
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
    """A page of jobs. `cursor` continues behind it, None at the end.

    A page can be short, or even empty, and have a cursor: then many jobs were looked at that are
    in another state.
    """

    data: Sequence[FoundJob]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the order of a list: a moment, and the id of the job there."""

    moment: datetime
    id: UUID

    def encode(self) -> str:
        return f"{(self.moment - EPOCH) // MICROSECOND}.{self.id}"

    @classmethod
    def decode(cls, cursor: str) -> "Place":
        """Raise InvalidCursor."""
        microseconds, _, job_id = cursor.partition(".")
        try:
            return cls(EPOCH + int(microseconds) * MICROSECOND, UUID(job_id))
        except (ValueError, OverflowError):
            raise InvalidCursor from None
