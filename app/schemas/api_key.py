from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.common import CurrentPassword, Line
from app.schemas.role import MAX_PERMISSIONS, Permission

KeyName = Annotated[Line, StringConstraints(min_length=1, max_length=64)]


class ApiKeyCreate(BaseModel):
    """A new key. It may do what both its `scopes` and its owner's permissions allow."""

    name: KeyName
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=MAX_PERMISSIONS)]
    expires_in_days: Annotated[int, Field(ge=1, le=366)] = 90
    current_password: CurrentPassword | None = None
    """Not needed if the user has recently proven who they are."""


class ApiKeyPublic(BaseModel):
    """An API key. `hint` is the start of the key. `last_used_at` is exact to the minute."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class ApiKeyCreated(ApiKeyPublic):
    """A new API key. `key` is shown once."""

    key: str
