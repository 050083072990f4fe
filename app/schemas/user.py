from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from app.schemas.fields import Changes, CurrentPassword, Email, Page, Password, Text

FullName = Annotated[Text, StringConstraints(max_length=255)]


class UserRegister(BaseModel):
    email: Email
    password: Password
    full_name: FullName | None = None


class UserCreate(UserRegister):
    """What a superuser says of a new user."""

    is_active: bool = True
    is_superuser: bool = False


class UserUpdate(Changes):
    """What a superuser changes of a user."""

    nullable = frozenset({"full_name"})

    email: Email | None = None
    password: Password | None = None
    full_name: FullName | None = None
    is_active: bool | None = None
    is_superuser: bool | None = None


class UserUpdateMe(Changes):
    """What users change of themselves. Another address needs the password."""

    nullable = frozenset({"full_name"})

    full_name: FullName | None = None
    email: Email | None = None
    current_password: CurrentPassword | None = None


class UpdatePassword(BaseModel):
    current_password: CurrentPassword
    new_password: Password


class UserPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    # Checked when it came in: checking an address again costs 60 µs a user.
    email: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime


class UsersPublic(Page[UserPublic]):
    """A page by the name that front ends know it by."""
