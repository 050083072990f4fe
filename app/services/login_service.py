from pydantic import JsonValue
from sqlalchemy import func, select

from app.core.config import Settings
from app.core.exceptions import Refused, SecondFactorNeeded, Unauthenticated
from app.core.resources import Resources
from app.core.security import verify_password
from app.core.throttle import Attempt
from app.models import User, UserSession
from app.services.audit import AuditTrail, Caller
from app.services.login_challenges import LIFETIME, LoginChallenges
from app.services.session_service import SessionService, Tokens
from app.services.totp_service import TotpService
from app.services.user_service import UserService

LOGIN = "login"


class IncorrectLogin(Refused):
    def __init__(self) -> None:
        super().__init__("Incorrect email or password")


class InactiveUser(Refused):
    def __init__(self) -> None:
        super().__init__("Inactive user")


class EmailNotVerified(Refused):
    def __init__(self) -> None:
        super().__init__("Email not verified. Follow the link that we sent you")


def check_admission(settings: Settings, user: User) -> None:
    """Raises InactiveUser and EmailNotVerified. Only for who has proved who they are."""
    if not user.is_active:
        raise InactiveUser
    if settings.login_requires_verified_email and not user.email_verified_at:
        raise EmailNotVerified


class LoginService:
    """Opens transactions of its own.

    None is open while a password is hashed; and what a failure leaves behind, such as a line of
    the audit trail, outlives the error that is the answer.
    """

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self.resources = resources
        self.caller = caller

    async def log_in(self, email: str, password: str) -> Tokens:
        """Begin a session by address and password.

        Raises SecondFactorNeeded where a code has to follow. IncorrectLogin for a wrong password,
        an unknown address and a user without a password alike, and after as long; InactiveUser
        and EmailNotVerified only for who knows the password; TooManyAttempts.
        """
        user, account = await self._find(email)
        attempt = Attempt(LOGIN, self.caller.address, account)
        await self.resources.throttle.check(attempt)
        verdict = await verify_password(password, user.password_hash if user else None)
        if user is None or not verdict.right:
            await self._record_failure(user)
            await self.resources.throttle.count(attempt)
            raise IncorrectLogin
        await self.resources.throttle.check(attempt)
        try:
            check_admission(self.resources.settings, user)
        except Refused as refusal:
            await self._record_failure(user, reason=str(refusal))
            raise
        return await self._open_session(user, verdict.new_hash)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token. Raises Unauthenticated, after ending what has to end."""
        async with self.resources.unit_of_work() as uow:
            sessions = SessionService(uow, self.resources.settings, self.caller)
            tokens = await sessions.refresh(refresh_token)
        if tokens is None:
            raise Unauthenticated
        return tokens

    async def _find(self, email: str) -> tuple[User | None, str]:
        """Look the user up, and name the counter of their attempts.

        Where they have a session, they have a counter of their own: nobody else keeps them out.
        """
        async with self.resources.unit_of_work() as uow:
            user = await UserService(uow).find_by_email(email)
            known_here = await uow.session.scalar(
                select(func.count())
                .select_from(UserSession)
                .where(
                    UserSession.user_id == (user.id if user else None),
                    UserSession.address == self.caller.address,
                )
            )
        return user, f"{email} {self.caller.address}" if known_here else email

    async def _record_failure(self, user: User | None, **details: JsonValue) -> None:
        async with self.resources.unit_of_work() as uow:
            trail = AuditTrail(uow, self.caller)
            user_id = user.id if user else None
            trail.record("login.failed", user_id=user_id, actor_id=None, **details)

    async def _open_session(self, user: User, new_hash: str | None) -> Tokens:
        async with self.resources.unit_of_work() as uow:
            # Who changes the password or deactivates the user at this moment comes before or
            # after: a session that is opened after that would outlive it.
            unchanged = (
                User.id == user.id,
                User.password_hash == user.password_hash,
                User.is_active,
            )
            current = await uow.session.scalar(select(User).where(*unchanged).with_for_update())
            if current is None:
                raise IncorrectLogin
            if new_hash is not None:
                current.password_hash = new_hash
            if not await TotpService(uow, self.resources.settings).is_set_up(user.id):
                AuditTrail(uow, self.caller).record(
                    "login.succeeded", user_id=user.id, actor_id=user.id
                )
                return await SessionService(uow, self.resources.settings, self.caller).open(current)
            challenge = await LoginChallenges(uow).mint(user.id)
        raise SecondFactorNeeded(challenge, LIFETIME)
