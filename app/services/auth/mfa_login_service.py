"""The second step of a login, with an authenticator app, a recovery code, or a passkey."""

from uuid import UUID

from sqlalchemy import select

from app.core.security.attempts import Action, Attempt
from app.core.security.passkeys.ceremony import CeremonyPurpose
from app.models import User
from app.schemas.passkey import PasskeyOptions
from app.schemas.second_factor import SecondFactorLogin
from app.services.auth.completed_login import complete_login
from app.services.auth.mfa_challenges import LoginTooOld, MfaChallengeService
from app.services.auth.passkey_assertions import PasskeyAssertions
from app.services.auth.second_factor_codes import SecondFactorCodes
from app.services.auth.session_service import Tokens
from app.services.scope import Scope


class MfaLoginService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.challenges = MfaChallengeService(scope)
        self.codes = SecondFactorCodes(scope)
        self.passkeys = PasskeyAssertions(scope)

    async def begin_passkey(self, token: str) -> PasskeyOptions:
        """Ask for a signature of one of the user's passkeys. Raise LoginTooOld."""
        user_id = await self._find_user(token)
        return await self.passkeys.begin(CeremonyPurpose.SECOND_FACTOR, user_id)

    async def log_in(self, data: SecondFactorLogin) -> Tokens:
        """Complete a login whose password was correct.

        Raise LoginTooOld, IncorrectCode, IncorrectPasskey, CeremonyExpired, or TooManyAttempts.
        """
        token = data.token.get_secret_value()
        user_id = await self._find_user(token)
        if data.passkey is not None:
            purpose = CeremonyPurpose.SECOND_FACTOR
            verified = await self.passkeys.verify(data.passkey, purpose, user_id)
            user = await self._lock_user(user_id, token)
            passkey = await self.passkeys.consume(verified)
            # A user who knows the password has used the passkey, so it is not an attacker's.
            passkey.needs_password = False
            return await complete_login(self.scope, user, method="passkey")
        assert data.code is not None
        code = data.code.get_secret_value()
        await self.codes.verify(user_id, code)
        user = await self._lock_user(user_id, token)
        method = await self.codes.consume(user, code)
        return await complete_login(self.scope, user, method=method)

    async def _find_user(self, token: str) -> UUID:
        attempt = Attempt(Action.SECOND_FACTOR, self.scope.request.ip_address)
        async with self.scope.throttle.guess(attempt):
            return await self.challenges.peek(token)

    async def _lock_user(self, user_id: UUID, token: str) -> User:
        """Lock the user, and consume the token of the login. Raise LoginTooOld."""
        # The lock puts a new password or a deactivation, which end the challenge, before or after.
        active = select(User).where(User.id == user_id, User.is_active).with_for_update()
        user = await self.uow.session.scalar(active)
        if user is None:
            raise LoginTooOld
        await self.challenges.consume(token)
        return user
