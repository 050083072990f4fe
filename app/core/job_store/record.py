"""The state of a job, from its row or from Redis."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue


class JobState(StrEnum):
    QUEUED = "queued"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no worker will change the state. An operator may retry a failed job."""
        return self in FINAL


FINAL = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job and its state. `progress` is a fraction from 0 to 1. Its message is plain text."""

    id: UUID
    queue: str
    name: str
    state: JobState
    attempt: int
    progress: float | None
    progress_message: str | None = None
    enqueued_at: datetime
    scheduled_for: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: JsonValue = None
    error: str | None = None
