from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from app.core.job_store.record import JobState


class JobAccepted(BaseModel):
    id: UUID


class JobStatus(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    queue: str
    name: str
    state: JobState
    attempt: int
    progress: float | None
    progress_message: str | None
    enqueued_at: datetime
    scheduled_for: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    result: JsonValue
    error: str | None
