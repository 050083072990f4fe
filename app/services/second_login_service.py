"""The second step of a login, with an authenticator app or a recovery code."""

from uuid import UUID

from sqlalchemy import select

from app.core.resources import Resources
from app.core.throttle import Attempt
from app.models import User
from app.schemas.jobs import SendSecondFactorChanged
from app.services.audit import AuditTrail, Caller
from app.services.login_challenges import LoginChallenges, LoginTooOld
from app.services.recovery_code_service import RecoveryCodeService
from app.services.second_factor_service import GUESS
from app.services.session_service import SessionService, Tokens
from app.services.totp_service import IncorrectCode, TotpService


class SecondLoginService:
    """Opens transactions of its own: that a code was used, or wrong, outlives a refusal."""

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self.resources = resources
        self.settings = resources.settings
        self.caller = caller

    async def log_in(self, token: str, code: str) -> Tokens:
        """Begin the session of a login whose password was right.

        Raises LoginTooOld, IncorrectCode and TooManyAttempts.
        """
        user_id = await self._whose(token)
        attempt = Attempt(GUESS, self.caller.address, str(user_id))
        await self.resources.throttle.check(attempt)
        method = await self._use(user_id, code)
        if method is None:
            await self.resources.throttle.count(attempt)
            raise IncorrectCode
        await self.resources.throttle.check(attempt)
        return await self._open_session(user_id, token, method)

    async def _whose(self, token: str) -> UUID:
        attempt = Attempt(GUESS, self.caller.address)
        await self.resources.throttle.check(attempt)
        try:
            async with self.resources.unit_of_work() as uow:
                return await LoginChallenges(uow).look_at(token)
        except LoginTooOld:
            await self.resources.throttle.count(attempt)
            raise

    async def _use(self, user_id: UUID, code: str) -> str | None:
        """Use a code up, and say of what kind it was; None stands for a wrong one."""
        async with self.resources.unit_of_work() as uow:
            factor = TotpService(uow, self.settings)
            if await RecoveryCodeService(uow).use(user_id, code):
                await factor.forgive(user_id)
                uow.enqueue(SendSecondFactorChanged(user_id=user_id, change="recovery_code_used"))
                return "recovery_code"
            if await factor.accepts(user_id, code):
                return "totp"
            AuditTrail(uow, self.caller).record(
                "second_factor.failed", user_id=user_id, actor_id=None
            )
        return None

    async def _open_session(self, user_id: UUID, token: str, method: str) -> Tokens:
        async with self.resources.unit_of_work() as uow:
            # A new password and a deactivation end the challenge: they come before or after.
            active = select(User).where(User.id == user_id, User.is_active).with_for_update()
            user = await uow.session.scalar(active)
            if user is None:
                raise LoginTooOld
            await LoginChallenges(uow).use(token)
            AuditTrail(uow, self.caller).record(
                "login.succeeded", user_id=user_id, actor_id=user_id, method=method
            )
            return await SessionService(uow, self.settings, self.caller).open(user)
