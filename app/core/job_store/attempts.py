"""The tries that a queue remembers: those of the jobs that ended last, and those that failed last.

Each queue keeps 1,000 of both in its Redis. They name the class of an error and no message, because
a message may be private.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import pydantic_core

from app.core.telemetry.traceparent import readable_trace_id

KEPT = 1_000
"""How many jobs that ended, and how many failed tries, a queue remembers."""

TryOutcome = Literal["succeeded", "retried", "failed", "cancelled", "interrupted"]
"""'failed' is for good. 'interrupted' did not count: a deploy, or a lease that was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTry:
    """A try that ended. `duration` and `pickup` are in seconds.

    `pickup` is the time from when the job was due until it began, None where that is not known.
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
    """The id of a trace that a collector has."""


def parse_try(queue: str, stored: bytes) -> RecordedTry | None:
    """Read a try: its fields as a JSON array, without the queue, in the order of the class.

    Workers of earlier releases leave out the last field. Return None for anything else.
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
