from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class OwnSession(BaseModel):
    """A session on a device. `last_seen_at` is when its access token was last renewed.

    `current` marks the session of this request.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_agent: str
    address: str = Field(validation_alias="ip_address")
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool = False
