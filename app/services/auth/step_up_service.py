"""Step-up authentication: some routes require a recent proof of who the user is."""

from sqlalchemy import func, update

from app.core.exceptions import Unauthenticated
from app.core.security.passkeys.ceremony import CeremonyPurpose
from app.models import UserSession
from app.schemas.login import Reauthentication
from app.schemas.passkey import PasskeyOptions
from app.services.audit import AuditTrail
from app.services.auth.actor import lock_actor
from app.services.auth.passkey_assertions import PasskeyAssertions
from app.services.auth.reauthentication import verify_password
from app.services.auth.second_factor_codes import SecondFactorCodes
from app.services.scope import Scope


class StepUpService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.codes = SecondFactorCodes(scope)
        self.passkeys = PasskeyAssertions(scope)

    async def begin_passkey(self) -> PasskeyOptions:
        """Ask for a signature of one of the user's passkeys."""
        user_id = self.scope.principal.user_id
        return await self.passkeys.begin(CeremonyPurpose.PROOF, user_id)

    async def prove(self, data: Reauthentication) -> None:
        """Store that the user has proven who they are.

        Raise IncorrectPassword, IncorrectCode, IncorrectPasskey, CeremonyExpired, or
        TooManyAttempts.
        """
        method = await self._verify(data)
        await self._store()
        user_id = self.scope.principal.user_id
        AuditTrail(self.scope).record(
            "session.proven", user_id=user_id, actor_id=user_id, method=method
        )

    async def _verify(self, data: Reauthentication) -> str:
        """Check a proof before the transaction's first statement, and return its kind."""
        if data.password is not None:
            await verify_password(self.scope, data.password.get_secret_value())
            return "password"
        user_id = self.scope.principal.user_id
        if data.passkey is not None:
            verified = await self.passkeys.verify(data.passkey, CeremonyPurpose.PROOF, user_id)
            await lock_actor(self.scope)
            await self.passkeys.consume(verified)
            return "passkey"
        assert data.code is not None
        code = data.code.get_secret_value()
        await self.codes.verify(user_id, code)
        return await self.codes.consume(await lock_actor(self.scope), code)

    async def _store(self) -> None:
        """Raise Unauthenticated if the session has ended in the meantime."""
        proven = await self.scope.uow.session.scalar(
            update(UserSession)
            .where(UserSession.id == self.scope.principal.session_id)
            .values(proven_at=func.now())
            .returning(UserSession.id)
        )
        if proven is None:
            raise Unauthenticated
