"""What operators send to queues and jobs, and what they are shown of all queues."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.core.control import QueueOverview, UnknownQueue
from app.schemas.common import Line, Moment, Reason

Name = Annotated[Line, StringConstraints(min_length=1, max_length=255)]


class ReasonGiven(BaseModel):
    """Why an operator does it. The audit trail keeps it."""

    reason: Reason


class QueueLimitsUpdate(ReasonGiven):
    """`rate` is in jobs per second, `concurrency` in jobs at once. Null removes the limit."""

    rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)]
    concurrency: Annotated[int | None, Field(ge=1, le=1_000_000)]


class QueuesPublic(BaseModel):
    """The queues. `unknown` have rows but are not in the code; `unavailable` do not answer."""

    data: list[QueueOverview]
    unknown: list[UnknownQueue]
    unavailable: list[str]


class DeadLetterChange(ReasonGiven):
    """Which dead letters to change. A field that is left out means all.

    `arguments` are paths into the payload, and their values as text.
    """

    queue: Name | None = None
    name: Name | None = None
    error_class: Name | None = None
    since: Moment | None = None
    until: Moment | None = None
    request_id: Name | None = None
    arguments: Annotated[dict[Name, Line], Field(max_length=10)] = Field(default_factory=dict)
