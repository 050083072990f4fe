"""Codes of a second factor, from an authenticator app or from the list of recovery codes."""

from uuid import UUID

from app.core.security.attempts import Action, Attempt
from app.models import Alert, User
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.recovery_code_service import RecoveryCodeService
from app.services.auth.totp_service import IncorrectCode, TotpService
from app.services.scope import Scope


class SecondFactorCodes:
    """Verifies a code before the transaction, and consumes it in the transaction."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.recovery_codes = RecoveryCodeService(scope)
        self.totp = TotpService(scope)

    async def verify(self, user_id: UUID, code: str) -> None:
        """Raise IncorrectCode or TooManyAttempts."""
        attempt = Attempt(Action.SECOND_FACTOR, self.scope.request.ip_address, str(user_id))
        async with self.scope.throttle.guess(attempt):
            if not await self._is_correct(user_id, code):
                await self._record_failure(user_id)
                raise IncorrectCode

    async def consume(self, user: User, code: str) -> str:
        """Consume a code of a locked user, and return its kind.

        If two requests race, the second raises IncorrectCode.
        """
        if await self.recovery_codes.consume(user.id, code):
            await self.totp.reset_failures(user.id)
            await notify(self.scope, user, Alert.RECOVERY_CODE_USED, actor_id=user.id)
            return "recovery_code"
        if await self.totp.consume(user.id, code):
            return "totp"
        raise IncorrectCode

    async def _is_correct(self, user_id: UUID, code: str) -> bool:
        return await self.recovery_codes.peek(user_id, code) or await self.totp.peek(user_id, code)

    async def _record_failure(self, user_id: UUID) -> None:
        AuditTrail(self.scope).record(
            "second_factor.failed", user_id=user_id, actor_id=self.scope.actor_id
        )
        await self.totp.count_failure(user_id)
        self.uow.commit_on_refusal()
