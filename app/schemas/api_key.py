from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.schemas.fields import CurrentPassword, Text
from app.schemas.role import Permission

KeyName = Annotated[Text, StringConstraints(min_length=1, max_length=64)]


class ApiKeyCreate(BaseModel):
    """`scopes` are all that the key may do, as far as its owner may do it as well."""

    name: KeyName
    scopes: Annotated[list[Permission], Field(min_length=1)]
    expires_in_days: Annotated[int, Field(ge=1, le=366)] = 90
    current_password: CurrentPassword


class ApiKeyPublic(BaseModel):
    """`hint` is how the key begins. `last_used_at` is right to the minute."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class ApiKeyCreated(ApiKeyPublic):
    """`key` is shown once."""

    key: str
