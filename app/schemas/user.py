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
    """A new user, as a superuser creates it."""

    is_active: bool = True
    is_superuser: bool = False


class UserUpdate(Changes):
    """The changes that a superuser makes to a user."""

    nullable = frozenset({"full_name"})

    email: Email | None = None
    password: Password | None = None
    full_name: FullName | None = None
    is_active: bool | None = None
    is_superuser: bool | None = None


class UserUpdateMe(Changes):
    """The changes that users make to themselves. A new email needs the password."""

    nullable = frozenset({"full_name"})

    full_name: FullName | None = None
    email: Email | None = None
    current_password: CurrentPassword | None = None


class PendingEmail(BaseModel):
    """The address that the account gets once its link has been followed."""

    email: str
    expires_at: datetime


class UpdatePassword(BaseModel):
    current_password: CurrentPassword
    new_password: Password


class UserPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    # Validated when it came in: validating an email again costs 60 µs per user.
    email: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime


class UsersPublic(Page[UserPublic]):
    """A page, under the name that front ends expect."""
