"""Passkeys of the acting user."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import BadRequest, Conflict, NotFound
from app.core.security.passkeys.ceremony import LIFETIME, Ceremony, CeremonyPurpose, sign_ceremony
from app.core.security.passkeys.loading import load_verification
from app.core.security.passkeys.relying_party import relying_party
from app.core.security.tokens import new_token
from app.models import Alert, Passkey, User
from app.schemas.passkey import PasskeyOptions, PasskeyRegistration
from app.services.alerts import notify
from app.services.auth.actor import lock_actor, lock_confirmed_actor
from app.services.auth.login_methods import check_is_not_last_login_method
from app.services.auth.passkey_assertions import CeremonyExpired, require_ceremony
from app.services.auth.recovery_code_service import RecoveryCodeService
from app.services.auth.revocation import Event, end_credentials
from app.services.auth.second_factors import delete_codes_without_factor, second_factors_of
from app.services.auth.single_use import use_once
from app.services.scope import Scope

MAX_PASSKEYS = 20


class PasskeyNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Passkey not found")


class TooManyPasskeys(Conflict):
    def __init__(self) -> None:
        super().__init__(f"You have {MAX_PASSKEYS} passkeys, which is the limit. Remove one first")


class PasskeyExists(Conflict):
    def __init__(self) -> None:
        super().__init__("This passkey is already registered")


class InvalidPasskey(BadRequest):
    def __init__(self) -> None:
        super().__init__("This passkey cannot be registered here. Try again, or use another device")


class PasskeyService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.party = relying_party(scope.settings)

    async def list(self) -> Sequence[Passkey]:
        """List the user's passkeys, oldest first."""
        query = select(Passkey).where(Passkey.user_id == self.scope.principal.user_id)
        return (await self.uow.session.scalars(query.order_by(Passkey.id))).all()

    async def begin(self) -> PasskeyOptions:
        """Ask for a new passkey. Raise TooManyPasskeys."""
        await load_verification()
        from app.core.security.passkeys import verification  # noqa: PLC0415  it is loaded now

        principal = self.scope.principal
        existing = await self.list()
        _check_limit(len(existing))
        ceremony = Ceremony(CeremonyPurpose.REGISTRATION, new_token(), principal.user_id)
        options = verification.registration_options(
            self.party,
            ceremony.challenge,
            user_id=principal.user_id,
            user_name=principal.email,
            existing=[
                verification.KnownCredential(passkey.credential_id, passkey.transports)
                for passkey in existing
            ],
        )
        state = sign_ceremony(self.scope.settings, ceremony)
        return PasskeyOptions(state=state, public_key=options)

    async def register(self, data: PasskeyRegistration) -> tuple[Passkey, Sequence[str] | None]:
        """Store a new passkey. Return it, with recovery codes if it is the first second factor.

        Raise CeremonyExpired, InvalidPasskey, EmailNotConfirmed, TooManyPasskeys, or PasskeyExists.
        """
        user_id = self.scope.principal.user_id
        passkey, challenge = await self._verify(data, user_id)
        # A concurrent login without the factor is over before the lock, and its session ends here.
        # Or it waits for the lock, and then needs the factor.
        user = await lock_confirmed_actor(self.scope)
        if not await use_once(self.scope, challenge, lifetime=LIFETIME):
            raise CeremonyExpired
        earlier_factors = await second_factors_of(self.scope, user_id)
        await self._save(passkey)
        await notify(self.scope, user, Alert.NEW_PASSKEY, {"passkey_id": str(passkey.id)})
        if earlier_factors:
            return passkey, None
        return passkey, await self._begin_second_factor(user)

    async def get(self, passkey_id: UUID) -> Passkey:
        """Raise PasskeyNotFound."""
        passkey = await self.uow.session.get(Passkey, passkey_id)
        if passkey is None or passkey.user_id != self.scope.principal.user_id:
            raise PasskeyNotFound
        return passkey

    async def rename(self, passkey_id: UUID, name: str) -> Passkey:
        """Raise PasskeyNotFound."""
        passkey = await self.get(passkey_id)
        passkey.name = name
        return passkey

    async def remove(self, passkey_id: UUID) -> None:
        """Remove a passkey. Raise PasskeyNotFound, or LastLoginMethod for the only way to log in.

        Removing the last second factor also deletes the recovery codes.
        """
        user = await lock_actor(self.scope)
        passkey = await self.get(passkey_id)
        await check_is_not_last_login_method(self.scope, user)
        await self.uow.session.delete(passkey)
        await self.uow.session.flush()
        await delete_codes_without_factor(self.scope, user.id)
        await notify(self.scope, user, Alert.PASSKEY_REMOVED, {"passkey_id": str(passkey.id)})

    async def _verify(self, data: PasskeyRegistration, user_id: UUID) -> tuple[Passkey, str]:
        """Return the passkey to store, and the challenge that it has signed."""
        await load_verification()
        from app.core.security.passkeys import verification  # noqa: PLC0415  it is loaded now

        ceremony = require_ceremony(self.scope, data.state, CeremonyPurpose.REGISTRATION, user_id)
        credential = data.credential.model_dump(by_alias=True)
        try:
            new = verification.verify_registration(self.party, ceremony.challenge, credential)
        except verification.InvalidResponse as error:
            raise InvalidPasskey from error
        passkey = Passkey(
            user_id=user_id,
            name=data.name,
            credential_id=new.id,
            public_key=new.public_key,
            sign_count=new.sign_count,
            transports=data.credential.response.transports,
            is_backup_eligible=new.is_backup_eligible,
            is_backed_up=new.is_backed_up,
        )
        return passkey, ceremony.challenge

    async def _save(self, passkey: Passkey) -> None:
        """Store a passkey of a locked user. Raise TooManyPasskeys or PasskeyExists."""
        count = select(func.count()).where(Passkey.user_id == passkey.user_id)
        _check_limit(await self.uow.session.scalar(count) or 0)
        try:
            async with self.uow.session.begin_nested():
                self.uow.session.add(passkey)
        except IntegrityError as error:
            raise PasskeyExists from error
        # Read the columns that the database has filled in.
        await self.uow.session.refresh(passkey)

    async def _begin_second_factor(self, user: User) -> Sequence[str]:
        """Return recovery codes. Other sessions end: they started without the factor."""
        session_id = self.scope.principal.session_id
        await end_credentials(self.scope, user.id, Event.FACTOR_SET_UP, except_for=session_id)
        return await RecoveryCodeService(self.scope).renew(user.id)


def _check_limit(passkeys: int) -> None:
    if passkeys >= MAX_PASSKEYS:
        raise TooManyPasskeys
