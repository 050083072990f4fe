"""A job on its way to its queue."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a queue is given of a job. `kept` says that the outbox has a row of it.

    `priority` is a number of minutes: the job goes ahead of all that has waited less than that.
    """

    id: UUID
    queue: str
    name: str
    payload: dict[str, JsonValue]
    request_id: str | None
    due_at: datetime | None = None
    priority: int = 0
    kept: bool = False
