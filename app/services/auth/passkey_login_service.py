from app.core.exceptions import BadRequest
from app.core.security.passkeys.ceremony import CeremonyPurpose
from app.schemas.passkey import PasskeyOptions, PasskeyProof
from app.services.auth.actor import lock_user
from app.services.auth.login_service import LoginService
from app.services.auth.passkey_assertions import IncorrectPasskey, PasskeyAssertions
from app.services.auth.session_service import Tokens
from app.services.scope import Scope


class PasswordNeeded(BadRequest):
    def __init__(self) -> None:
        super().__init__(
            "The password was reset since this passkey was last used. Log in with the password "
            "once. After that, the passkey is enough again"
        )


class PasskeyLoginService:
    """Logs in with a passkey alone, because the device that stores it has verified its user."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.assertions = PasskeyAssertions(scope)

    async def begin(self) -> PasskeyOptions:
        """Ask for a signature of any passkey that the browser has for this service."""
        return await self.assertions.begin(CeremonyPurpose.LOGIN)

    async def log_in(self, proof: PasskeyProof) -> Tokens:
        """Start a session for the owner of the passkey.

        Raise CeremonyExpired, IncorrectPasskey, PasswordNeeded, InactiveUser, EmailNotVerified, or
        TooManyAttempts.
        """
        verified = await self.assertions.verify(proof, CeremonyPurpose.LOGIN)
        # The lock puts a deactivation or a password reset before this login or after it.
        user = await lock_user(self.scope, verified.user_id)
        if user is None:
            raise IncorrectPasskey
        passkey = await self.assertions.consume(verified)
        if passkey.needs_password:
            raise PasswordNeeded
        return await LoginService(self.scope).log_in_without_password(user, method="passkey")
