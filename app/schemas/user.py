from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from app.schemas.common import Changes, CurrentPassword, Email, Line, Page, Password

FullName = Annotated[Line, StringConstraints(max_length=255)]


class UserRegister(BaseModel):
    email: Email
    password: Password
    full_name: FullName | None = None


class UserCreate(UserRegister):
    """A new user that a superuser creates."""

    is_active: bool = True
    is_superuser: bool = False


class UserUpdate(Changes):
    """Changes of a user by a superuser."""

    nullable = frozenset({"full_name"})

    email: Email | None = None
    password: Password | None = None
    full_name: FullName | None = None
    is_active: bool | None = None
    is_superuser: bool | None = None


class UserUpdateMe(Changes):
    """Changes of the user's own account. A new email needs the password or a recent proof."""

    nullable = frozenset({"full_name"})

    full_name: FullName | None = None
    email: Email | None = None
    current_password: CurrentPassword | None = None


class PendingEmail(BaseModel):
    """The new address of the account, which is not confirmed yet."""

    email: str
    expires_at: datetime


class UpdatePassword(BaseModel):
    current_password: CurrentPassword
    new_password: Password


class UserPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    # The email was validated when it was stored. Another validation takes 60 µs per user.
    email: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime


class UsersPublic(Page[UserPublic]):
    """A page of users, with the schema name that front ends expect."""
