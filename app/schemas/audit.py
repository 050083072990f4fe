from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue


class AuditEventPublic(BaseModel):
    """`actor_id` did it, `user_id` is whom it concerns."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    event: str
    actor_id: UUID | None
    user_id: UUID | None
    address: str
    user_agent: str
    request_id: str | None
    details: dict[str, JsonValue]
