"""What users do with their own second factor, and who has to have one."""

from typing import Literal
from uuid import UUID

from app.core import totp
from app.core.config import Settings
from app.core.exceptions import Forbidden
from app.core.resources import Resources
from app.core.throttle import Attempt
from app.core.unit_of_work import UnitOfWork
from app.models import User
from app.schemas.jobs import SendSecondFactorChanged
from app.schemas.second_factor import SecondFactorStatus, TotpSecret
from app.services.audit import AuditTrail, Caller
from app.services.password_proof import prove_password
from app.services.principal import Principal
from app.services.recovery_code_service import RecoveryCodeService
from app.services.session_service import SessionService
from app.services.totp_service import IncorrectCode, TotpService

GUESS = "second-factor"


class SecondFactorMissing(Forbidden):
    def __init__(self) -> None:
        super().__init__("Set up a second factor first")


class SecondFactorService:
    """Opens transactions of its own: none is open while a password is hashed."""

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self.resources = resources
        self.settings = resources.settings
        self.caller = caller

    async def status(self, user_id: UUID) -> SecondFactorStatus:
        async with self.resources.unit_of_work() as uow:
            return SecondFactorStatus(
                enabled=await TotpService(uow, self.settings).is_set_up(user_id),
                recovery_codes_left=await RecoveryCodeService(uow).count(user_id),
            )

    async def begin(self, principal: Principal, password: str) -> TotpSecret:
        """Show a new secret, this once. It counts from its first code on.

        Raises IncorrectPassword and SecondFactorExists.
        """
        user = principal.user
        await prove_password(self.resources, self.caller, user, password)
        async with self.resources.unit_of_work() as uow:
            secret = await TotpService(uow, self.settings).begin(user.id)
            self._record(uow, "second_factor.begun", user.id)
        issuer = self.settings.public_url.host or ""
        uri = totp.provisioning_uri(secret, issuer=issuer, account=user.email)
        return TotpSecret(secret=totp.as_text(secret), otpauth_uri=uri)

    async def confirm(self, principal: Principal, code: str) -> list[str]:
        """Let the factor count, and return recovery codes. Sessions that began without it end.

        Raises SecondFactorNotFound, SecondFactorExists and IncorrectCode.
        """
        user_id = principal.user.id
        attempt = Attempt(GUESS, self.caller.address, str(user_id))
        await self.resources.throttle.check(attempt)
        try:
            async with self.resources.unit_of_work() as uow:
                # A login by password alone at this moment comes before, and ends, or after.
                await uow.session.get(User, user_id, with_for_update=True)
                await TotpService(uow, self.settings).confirm(user_id, code)
                sessions = SessionService(uow, self.settings, self.caller)
                await sessions.end_all(user_id, actor_id=user_id, but=principal.session_id)
                return await self._renew(uow, user_id, "set_up")
        except IncorrectCode:
            await self.resources.throttle.count(attempt)
            raise

    async def renew_recovery_codes(self, principal: Principal, password: str) -> list[str]:
        """Make new recovery codes; earlier ones are good no longer.

        Raises IncorrectPassword and SecondFactorNotFound.
        """
        user_id = principal.user.id
        await prove_password(self.resources, self.caller, principal.user, password)
        async with self.resources.unit_of_work() as uow:
            await TotpService(uow, self.settings).require(user_id)
            return await self._renew(uow, user_id, "recovery_codes_renewed")

    async def disable(self, principal: Principal, password: str) -> None:
        """Take one's own factor away. Raises IncorrectPassword and SecondFactorNotFound."""
        user_id = principal.user.id
        await prove_password(self.resources, self.caller, principal.user, password)
        async with self.resources.unit_of_work() as uow:
            audit = AuditTrail(uow, self.caller)
            await take_second_factor_away(uow, self.settings, audit, user_id, actor_id=user_id)

    async def _renew(
        self, uow: UnitOfWork, user_id: UUID, change: Literal["set_up", "recovery_codes_renewed"]
    ) -> list[str]:
        codes = await RecoveryCodeService(uow).renew(user_id)
        self._record(uow, f"second_factor.{change}", user_id)
        uow.enqueue(SendSecondFactorChanged(user_id=user_id, change=change))
        return codes

    def _record(self, uow: UnitOfWork, event: str, user_id: UUID) -> None:
        AuditTrail(uow, self.caller).record(event, user_id=user_id, actor_id=user_id)


async def take_second_factor_away(
    uow: UnitOfWork, settings: Settings, audit: AuditTrail, user_id: UUID, *, actor_id: UUID | None
) -> None:
    """Let a user log in with the password alone, and tell them. Raises SecondFactorNotFound."""
    await TotpService(uow, settings).remove(user_id)
    await RecoveryCodeService(uow).forget(user_id)
    audit.record("second_factor.removed", user_id=user_id, actor_id=actor_id)
    uow.enqueue(SendSecondFactorChanged(user_id=user_id, change="removed"))


async def require_second_factor(uow: UnitOfWork, settings: Settings, user: User) -> None:
    """Let a superuser pass who has what SUPERUSERS_NEED_SECOND_FACTOR asks for.

    Raises SecondFactorMissing.
    """
    if not (settings.superusers_need_second_factor and user.is_superuser):
        return
    if not await TotpService(uow, settings).is_set_up(user.id):
        raise SecondFactorMissing
