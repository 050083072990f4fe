from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class AuditEventPublic(BaseModel):
    """An event. `actor_id` is the user who acted, `user_id` the user whose account was affected."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    event: str
    actor_id: UUID | None
    user_id: UUID | None
    address: str = Field(validation_alias="ip_address")
    user_agent: str
    request_id: str | None
    details: dict[str, JsonValue]


class AuditFilter(BaseModel):
    """The events to list. A missing value matches all."""

    event: str | None = None
    """A kind of event, or the first part of several kinds, such as `user`."""

    user_id: UUID | None = None
    actor_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditEventDetails(AuditEventPublic):
    """An event, with the email addresses of accounts that still exist."""

    actor_email: str | None = None
    user_email: str | None = None
