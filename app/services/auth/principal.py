from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.config import Settings
from app.core.exceptions import Forbidden, RecentProofRequired
from app.schemas.role import Permission


class NotEnoughPermissions(Forbidden):
    def __init__(self) -> None:
        super().__init__("Not enough permissions")


class NotEnoughPrivileges(Forbidden):
    def __init__(self) -> None:
        super().__init__("The user doesn't have enough privileges")


class SecondFactorMissing(Forbidden):
    def __init__(self) -> None:
        super().__init__("Set up a second factor first")


@dataclass(frozen=True, slots=True)
class Principal:
    """The acting user, through a session or through one of their API keys.

    `permissions` are those of the user's roles. With an API key, only its `scopes` count.
    """

    user_id: UUID
    email: str
    full_name: str | None
    is_superuser: bool
    created_at: datetime
    has_password: bool
    has_totp: bool
    has_passkey: bool
    permissions: Sequence[str]
    session_id: UUID | None = None
    proof_age: timedelta | None = None
    """The time since the user last proved, within the session, who they are."""

    api_key_id: UUID | None = None
    scopes: Sequence[str] | None = None
    unrecorded_use: bool = False
    """Whether the API key's last use is due to be recorded."""

    @property
    def has_second_factor(self) -> bool:
        return self.has_totp or self.has_passkey

    @property
    def second_factors(self) -> list[str]:
        kinds = {"totp": self.has_totp, "passkey": self.has_passkey}
        return [kind for kind, has in kinds.items() if has]

    @property
    def is_api_key(self) -> bool:
        return self.scopes is not None

    def covers(self, permission: Permission) -> bool:
        """Return whether the scopes include a permission that the user may have."""
        return self.scopes is None or permission in self.scopes

    def may(self, permission: Permission) -> bool:
        """Return whether the user has this permission, from a role or as a superuser."""
        return self.covers(permission) and (self.is_superuser or permission in self.permissions)

    def require(self, permission: Permission) -> None:
        """Raise NotEnoughPermissions without this permission."""
        if not self.may(permission):
            raise NotEnoughPermissions

    def require_second_factor(self, settings: Settings) -> None:
        """Raise SecondFactorMissing if SUPERUSERS_NEED_SECOND_FACTOR requires one."""
        needed = settings.superusers_need_second_factor and self.is_superuser
        if needed and not self.has_second_factor:
            raise SecondFactorMissing

    def require_recent_proof(self, *, minutes: int) -> None:
        """Raise RecentProofRequired if the last proof of the user is older than that.

        An API key cannot prove anything, so only its scopes decide what it may do.
        """
        if self.is_api_key:
            return
        if self.proof_age is None or self.proof_age > timedelta(minutes=minutes):
            raise RecentProofRequired(self.proof_methods or ["login"], minutes=minutes)

    @property
    def proof_methods(self) -> list[str]:
        """The ways to prove who the user is. Without any, the user must log in again."""
        return [*(["password"] if self.has_password else []), *self.second_factors]

    def owns(self, owner_id: UUID | None) -> bool:
        """Return whether something belongs to the user. Everything belongs to a superuser."""
        return (self.is_superuser and not self.is_api_key) or owner_id == self.user_id
