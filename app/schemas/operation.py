"""Schemas of operator actions on queues and jobs, and of the overview of queues."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.core.control import QueueOverview, UnknownQueue
from app.schemas.common import Line, Moment, Reason

Name = Annotated[Line, StringConstraints(min_length=1, max_length=255)]


class ReasonGiven(BaseModel):
    """An action with the operator's reason, which is stored in the audit trail."""

    reason: Reason


class QueueLimitsUpdate(ReasonGiven):
    """New limits. `rate` is in jobs per second, `concurrency` in jobs at once. Null removes one."""

    rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)]
    concurrency: Annotated[int | None, Field(ge=1, le=1_000_000)]


class QueuesPublic(BaseModel):
    """The queues. The `unknown` ones are not in the code. The `unavailable` ones do not answer."""

    data: list[QueueOverview]
    unknown: list[UnknownQueue]
    unavailable: list[str]


class DeadLetterChange(ReasonGiven):
    """The dead letters to change. A missing field matches all.

    `arguments` maps paths in the payload to values as text.
    """

    queue: Name | None = None
    name: Name | None = None
    error_class: Name | None = None
    since: Moment | None = None
    until: Moment | None = None
    request_id: Name | None = None
    arguments: Annotated[dict[Name, Line], Field(max_length=10)] = Field(default_factory=dict)
