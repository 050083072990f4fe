"""The tries that a queue records: the last tries of ended jobs, and the latest failed tries.

Each queue stores 1,000 of both in its Redis. They contain the class of an error but no message,
because a message may be private.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import pydantic_core

from app.core.telemetry.traceparent import readable_trace_id

MAX_RECORDED = 1_000
"""How many ended jobs, and how many failed tries, a queue records."""

TryOutcome = Literal["succeeded", "retried", "failed", "cancelled", "interrupted"]
"""After 'failed', there is no retry. 'interrupted' does not count: the worker stopped, or it lost
the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTry:
    """A try that ended. `duration` and `pickup` are in seconds.

    `pickup` is the time between the job's due time and its start, or None if it is unknown.
    """

    id: UUID
    queue: str
    name: str
    attempt: int
    outcome: TryOutcome
    ended_at: datetime
    duration: float
    pickup: float | None
    error_class: str | None
    request_id: str | None
    trace_id: str | None = None
    """The id of the trace, if it was exported."""


def parse_try(queue: str, stored: bytes) -> RecordedTry | None:
    """Parse a try: a JSON array of the fields of the class, in their order and without the queue.

    Workers of earlier releases omit the last field. Return None for anything else.
    """
    try:
        fields = pydantic_core.from_json(stored)
        job_id, name, attempt, outcome, ended_ms, duration, pickup, error, request_id, *more = (
            fields
        )
        return RecordedTry(
            id=UUID(job_id),
            queue=queue,
            name=name,
            attempt=attempt,
            outcome=outcome,
            ended_at=datetime.fromtimestamp(ended_ms / 1000, tz=UTC),
            duration=duration,
            pickup=pickup,
            error_class=error,
            request_id=request_id,
            trace_id=readable_trace_id(more[0]) if more else None,
        )
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        return None
