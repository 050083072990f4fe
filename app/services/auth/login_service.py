from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, select, update

from app.core.config import Settings
from app.core.exceptions import BadRequest, SecondFactorRequired
from app.core.security.attempts import Action, Attempt
from app.core.security.email_addresses import normalized_email
from app.core.security.tokens import hash_token
from app.models import KnownDevice, User, UserSession
from app.services.audit import AuditTrail
from app.services.auth.account import Account
from app.services.auth.completed_login import complete_login
from app.services.auth.mfa_challenges import LIFETIME, MfaChallengeService
from app.services.auth.second_factors import second_factors_of
from app.services.auth.session_service import Tokens
from app.services.scope import Scope

_CREDENTIALS = select(
    User.id,
    User.password_hash,
    select(KnownDevice.user_id)
    .where(
        KnownDevice.user_id == User.id,
        KnownDevice.token_hash == bindparam("device_hash"),
        KnownDevice.forgotten_at.is_(None),
    )
    .exists(),
    select(UserSession.id)
    .where(UserSession.user_id == User.id, UserSession.ip_address == bindparam("ip_address"))
    .exists(),
).where(User.normalized_email == bindparam("email"))

_LOCK = (
    select(User.id, User.email, User.email_verified_at, User.is_active, User.deletion_due_at)
    .where(User.id == bindparam("user_id"), User.password_hash == bindparam("password_hash"))
    .with_for_update()
)
_UPGRADE = (
    update(User).where(User.id == bindparam("user")).values(password_hash=bindparam("new_hash"))
)


class LockedUser(NamedTuple):
    id: UUID
    email: str
    email_verified_at: datetime | None
    is_active: bool
    deletion_due_at: datetime | None


class IncorrectLogin(BadRequest):
    def __init__(self) -> None:
        super().__init__("Incorrect email or password")


class InactiveUser(BadRequest):
    def __init__(self) -> None:
        super().__init__("Inactive user")


class EmailNotVerified(BadRequest):
    def __init__(self) -> None:
        super().__init__("Email not verified. Follow the link that we sent you")


def check_may_log_in(settings: Settings, user: Account) -> None:
    """Raise InactiveUser or EmailNotVerified. Call it only after the user has proven who they are.

    Otherwise, the response would reveal the state of the account to a stranger.
    """
    if not user.is_active:
        raise InactiveUser
    if settings.login_requires_verified_email and not user.email_verified_at:
        raise EmailNotVerified


class LoginService:
    """Reads before the password is verified; writes afterwards, in one transaction."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.audit = AuditTrail(scope)

    async def log_in(self, email: str, password: str) -> Tokens:
        """Start a session with an email and a password.

        Raise IncorrectLogin, after the same time, for a wrong password, an unknown email, and a
        user without a password. Raise InactiveUser or EmailNotVerified only for a correct
        password. Raise SecondFactorRequired if a code must follow, or TooManyAttempts.
        """
        user_id, password_hash, account = await self._find_credentials(normalized_email(email))
        attempt = Attempt(Action.LOGIN, self.scope.request.ip_address, account)
        async with self.scope.throttle.guess(attempt):
            check = await self.scope.passwords.verify(password, password_hash)
            if user_id is None or not check.valid:
                self._record_failure(user_id)
                raise IncorrectLogin
        user = await self._lock(user_id, password_hash)
        if check.new_hash is not None:
            upgrade = {"user": user.id, "new_hash": check.new_hash}
            await self.scope.uow.session.execute(_UPGRADE, upgrade)
        self._check_may_log_in(user)
        return await self.open_session(user)

    async def log_in_without_password(self, user: Account, **details: JsonValue) -> Tokens:
        """Start a session for a user who has proven who they are and needs no second factor.

        Raise InactiveUser or EmailNotVerified.
        """
        self._check_may_log_in(user)
        return await complete_login(self.scope, user, **details)

    async def open_session(self, user: Account, **details: JsonValue) -> Tokens:
        """Start a session for a user who has proven who they are.

        Raise SecondFactorRequired if a code must follow.
        """
        # A separate statement after the lock sees a factor that was set up in the meantime.
        if factors := await second_factors_of(self.scope, user.id):
            token = await MfaChallengeService(self.scope).issue(user.id)
            self.scope.uow.commit_on_refusal()
            raise SecondFactorRequired(token, LIFETIME, [*factors, "recovery_code"])
        return await complete_login(self.scope, user, **details)

    async def _find_credentials(self, email: str) -> tuple[UUID | None, str | None, str]:
        """Return the user's id and password hash, and the name of their attempt counter.

        A known device has a separate counter. So does an IP address where the user has a session.
        An attacker elsewhere therefore cannot lock the user out.
        """
        request, row = self.scope.request, None
        if "\x00" not in email:  # PostgreSQL cannot store it, so no user has it.
            row = await self.scope.reader.first(
                _CREDENTIALS,
                email=email,
                device_hash=hash_token(request.device or ""),
                ip_address=request.ip_address,
            )
        if row is None:
            return None, None, email
        user_id, password_hash, known_device, known_address = row
        if known_device:
            return user_id, password_hash, f"{user_id} on {request.device}"
        if known_address:
            return user_id, password_hash, f"{user_id} at {request.ip_address}"
        return user_id, password_hash, str(user_id)

    async def _lock(self, user_id: UUID, password_hash: str | None) -> LockedUser:
        """Lock the user until the commit. Raise IncorrectLogin if the password has changed.

        Otherwise, a session could start after a password change or a deactivation, and survive it.
        """
        row = await self.scope.uow.first(_LOCK, user_id=user_id, password_hash=password_hash)
        if row is None:
            raise IncorrectLogin
        return LockedUser(*row)

    def _check_may_log_in(self, user: Account) -> None:
        try:
            check_may_log_in(self.scope.settings, user)
        except BadRequest as refusal:
            self._record_failure(user.id, reason=str(refusal))
            raise

    def _record_failure(self, user_id: UUID | None, **details: JsonValue) -> None:
        self.audit.record("login.failed", user_id=user_id, actor_id=None, **details)
        self.scope.uow.commit_on_refusal()
