"""The credentials and roles of a user for superusers, without any secrets."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.schemas.api_key import ApiKeyPublic
from app.schemas.common import Page
from app.schemas.oidc import OwnIdentity
from app.schemas.role import RolePublic
from app.schemas.session import OwnSession


class UserDetails(BaseModel):
    """A user, with details that only the user and superusers may see."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime
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
