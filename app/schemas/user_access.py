"""The credentials and roles of a user for superusers, without any secrets."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.schemas.api_key import ApiKeyPublic
from app.schemas.common import Page
from app.schemas.oidc import OwnIdentity
from app.schemas.role import RolePublic
from app.schemas.session import OwnSession
from app.schemas.user import UserPublic


class UserDetails(UserPublic):
    """A user, with details that only the user and superusers may see."""

    email_verified_at: datetime | None
    new_email: str | None
    deletion_due_at: datetime | None
    has_password: bool
    authenticator_app_since: datetime | None
    recovery_codes_left: int


class PasskeyOfUser(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


class UserAccess(BaseModel):
    """A user, with the newest credentials of each kind, and roles."""

    user: UserDetails
    sessions: Page[OwnSession]
    api_keys: Page[ApiKeyPublic]
    passkeys: Page[PasskeyOfUser]
    identities: Page[OwnIdentity]
    roles: Page[RolePublic]
