"""Access to a user's account: superusers list its credentials and roles, and end them."""

from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Uuid, bindparam, delete, func, select

from app.core.postgres.reader import Statement
from app.models import (
    ApiKey,
    Identity,
    Passkey,
    RecoveryCode,
    Role,
    TotpFactor,
    User,
    UserRole,
    UserSession,
)
from app.schemas.api_key import ApiKeyPublic
from app.schemas.common import Page
from app.schemas.oidc import OwnIdentity
from app.schemas.role import RolePublic
from app.schemas.session import OwnSession
from app.schemas.user_access import PasskeyOfUser, UserAccess, UserDetails
from app.services.administrators import lock_account
from app.services.audit import AuditTrail
from app.services.auth.api_key_service import ApiKeyNotFound
from app.services.auth.revocation import Event, end_credentials
from app.services.auth.session_service import SessionNotFound
from app.services.columns import select_as
from app.services.scope import Scope
from app.services.user_service import UserNotFound

Model = TypeVar("Model", bound=BaseModel)

MAX_ROWS = 50
"""Rows of each kind on a page. Users have fewer, but an attacker may create thousands."""

_ID = bindparam("user_id", type_=Uuid())
_TOTP_CONFIRMED_AT = select(TotpFactor.confirmed_at).where(TotpFactor.user_id == _ID)
_RECOVERY_CODES = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == _ID)
_USER = (
    select_as(UserDetails, User)
    .add_columns(
        User.password_hash.is_not(None).label("has_password"),
        _TOTP_CONFIRMED_AT.scalar_subquery().label("authenticator_app_since"),
        _RECOVERY_CODES.scalar_subquery().label("recovery_codes_left"),
    )
    .where(User.id == _ID)
)
_SESSIONS = (
    select_as(OwnSession, UserSession)
    .where(UserSession.user_id == _ID, UserSession.expires_at > func.now())
    .order_by(UserSession.id.desc())
)
_API_KEYS = select_as(ApiKeyPublic, ApiKey).where(ApiKey.user_id == _ID).order_by(ApiKey.id.desc())
_PASSKEYS = (
    select_as(PasskeyOfUser, Passkey).where(Passkey.user_id == _ID).order_by(Passkey.id.desc())
)
_IDENTITIES = (
    select_as(OwnIdentity, Identity).where(Identity.user_id == _ID).order_by(Identity.id.desc())
)
_ROLES = (
    select_as(RolePublic, Role)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == _ID)
    .order_by(Role.name)
)


class UserAccessService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def read(self, user_id: UUID) -> UserAccess:
        """Return a user with the newest of each kind of access. Raise UserNotFound."""
        user = await self.scope.reader.one(UserDetails, _USER, user_id=user_id)
        if user is None:
            raise UserNotFound
        return UserAccess(
            user=user,
            sessions=await self._newest(Page[OwnSession], _SESSIONS, user_id),
            api_keys=await self._newest(Page[ApiKeyPublic], _API_KEYS, user_id),
            passkeys=await self._newest(Page[PasskeyOfUser], _PASSKEYS, user_id),
            identities=await self._newest(Page[OwnIdentity], _IDENTITIES, user_id),
            roles=await self._newest(Page[RolePublic], _ROLES, user_id),
        )

    async def end_sessions(self, user_id: UUID) -> None:
        """Log a user out everywhere. Raise UserNotFound."""
        await lock_account(self.scope, user_id, keeps_superuser=True)
        await end_credentials(self.scope, user_id, Event.LOGOUT_EVERYWHERE)

    async def end_session(self, user_id: UUID, session_id: UUID) -> None:
        """End one session of a user. Raise UserNotFound or SessionNotFound."""
        await lock_account(self.scope, user_id, keeps_superuser=True)
        ended = await self.scope.uow.session.scalar(
            delete(UserSession)
            .where(UserSession.id == session_id, UserSession.user_id == user_id)
            .returning(UserSession.id)
        )
        if ended is None:
            raise SessionNotFound
        self._record("session.ended", user_id, session_id=str(session_id))

    async def revoke_key(self, user_id: UUID, key_id: UUID) -> None:
        """Delete an API key of a user. Raise UserNotFound or ApiKeyNotFound."""
        await lock_account(self.scope, user_id, keeps_superuser=True)
        revoked = await self.scope.uow.session.scalar(
            delete(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id).returning(ApiKey)
        )
        if revoked is None:
            raise ApiKeyNotFound
        self._record("api_key.revoked", user_id, key_id=str(key_id), name=revoked.name)

    async def _newest(self, page: type[Model], statement: Statement, user_id: UUID) -> Model:
        return await self.scope.reader.page(
            page, statement, skip=0, limit=MAX_ROWS, user_id=user_id
        )

    def _record(self, event: str, user_id: UUID, **details: str) -> None:
        audit = AuditTrail(self.scope)
        audit.record(event, user_id=user_id, actor_id=self.scope.actor_id, **details)
