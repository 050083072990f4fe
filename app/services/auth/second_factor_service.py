"""The second factor of the acting user."""

from functools import partial

from pydantic import SecretStr

from app.core.security import totp
from app.core.security.attempts import Action, Attempt
from app.models import Alert, User
from app.schemas.second_factor import SecondFactorStatus, TotpSecret
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.actor import lock_actor, lock_confirmed_actor
from app.services.auth.reauthentication import reauthenticate
from app.services.auth.recovery_code_service import RecoveryCodeService
from app.services.auth.revocation import Event, end_credentials
from app.services.auth.second_factors import delete_codes_without_factor, second_factors_of
from app.services.auth.totp_service import IncorrectCode, SecondFactorNotFound, TotpService
from app.services.scope import Scope


class SecondFactorService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.audit = AuditTrail(scope)
        self.totp = TotpService(scope)
        self.recovery_codes = RecoveryCodeService(scope)

    async def status(self) -> SecondFactorStatus:
        principal = self.scope.principal
        return SecondFactorStatus(
            enabled=principal.has_second_factor,
            methods=principal.second_factors,
            recovery_codes_left=await self.recovery_codes.count(principal.user_id),
        )

    async def begin(self, password: SecretStr | None) -> TotpSecret:
        """Return a new secret, which is shown once. Its first code activates it.

        Raise RecentProofRequired, IncorrectPassword, EmailNotConfirmed, or SecondFactorExists.
        """
        principal = self.scope.principal
        await reauthenticate(self.scope, password)
        user = await lock_confirmed_actor(self.scope)
        secret = await self.totp.begin(user.id)
        self.audit.record("second_factor.begun", user_id=user.id, actor_id=user.id)
        issuer = self.scope.settings.public_url.host or ""
        uri = totp.provisioning_uri(secret, issuer=issuer, account=principal.email)
        return TotpSecret(secret=totp.as_base32(secret), otpauth_uri=uri)

    async def confirm(self, code: str) -> list[str]:
        """Confirm the secret with its first code, and return recovery codes.

        Other sessions end: they started without the factor. Raise EmailNotConfirmed,
        SecondFactorNotFound, SecondFactorExists, IncorrectCode, or TooManyAttempts.
        """
        principal = self.scope.principal
        attempt = Attempt(
            Action.SECOND_FACTOR, self.scope.request.ip_address, str(principal.user_id)
        )
        await self.scope.throttle.count(attempt)
        # A concurrent login without the factor is over before the lock, and its session ends here.
        # Or it waits for the lock, and then needs the factor.
        user = await lock_confirmed_actor(self.scope)
        try:
            await self.totp.confirm(user.id, code)
        except IncorrectCode:
            self.uow.commit_on_refusal()
            raise
        self.uow.after_commit(partial(self.scope.throttle.refund, attempt))
        await end_credentials(
            self.scope, user.id, Event.FACTOR_SET_UP, except_for=principal.session_id
        )
        return await self._renew(user, Alert.NEW_FACTOR)

    async def renew_recovery_codes(self, password: SecretStr | None) -> list[str]:
        """Return new recovery codes. Earlier ones stop working.

        Raise RecentProofRequired, IncorrectPassword, or SecondFactorNotFound.
        """
        await reauthenticate(self.scope, password)
        user = await lock_actor(self.scope)
        await self._require_any(user)
        return await self._renew(user, Alert.RECOVERY_CODES_RENEWED)

    async def disable(self, password: SecretStr | None) -> None:
        """Remove the user's own authenticator app.

        Raise RecentProofRequired, IncorrectPassword, or SecondFactorNotFound.
        """
        await reauthenticate(self.scope, password)
        user = await lock_actor(self.scope)
        await self.totp.remove(user.id)
        await delete_codes_without_factor(self.scope, user.id)
        await notify(self.scope, user, Alert.FACTOR_REMOVED)

    async def remove(self, user: User) -> None:
        """Remove the second factors of a user, including passkeys, and notify the user.

        Raise SecondFactorNotFound.
        """
        await self._require_any(user)
        await end_credentials(self.scope, user.id, Event.FACTOR_REMOVED)
        await notify(self.scope, user, Alert.FACTOR_REMOVED)

    async def _require_any(self, user: User) -> None:
        if not await second_factors_of(self.scope, user.id):
            raise SecondFactorNotFound

    async def _renew(self, user: User, alert: Alert) -> list[str]:
        codes = await self.recovery_codes.renew(user.id)
        await notify(self.scope, user, alert)
        return codes
