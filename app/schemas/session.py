from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class OwnSession(BaseModel):
    """A login on a device. `last_seen_at` is when its access token was last renewed.

    `current` says that it is the session in which it was asked for.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_agent: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool = False
