"""Signatures of passkeys, which log a user in or prove who the user is."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import bindparam, select

from app.core.exceptions import BadRequest
from app.core.security.attempts import Action, Attempt
from app.core.security.passkeys.ceremony import (
    LIFETIME,
    Ceremony,
    CeremonyPurpose,
    read_ceremony,
    sign_ceremony,
)
from app.core.security.passkeys.loading import load_verification
from app.core.security.passkeys.relying_party import relying_party
from app.core.security.tokens import new_token
from app.models import Alert, Passkey, User
from app.schemas.passkey import PasskeyOptions, PasskeyProof
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.single_use import use_once
from app.services.scope import Scope

_BY_CREDENTIAL = select(Passkey.id, Passkey.user_id, Passkey.public_key).where(
    Passkey.credential_id == bindparam("credential_id")
)
_OF_USER = select(Passkey.credential_id, Passkey.transports).where(
    Passkey.user_id == bindparam("user_id")
)

log = structlog.stdlib.get_logger(__name__)


class IncorrectPasskey(BadRequest):
    def __init__(self) -> None:
        super().__init__("Incorrect passkey")


class CeremonyExpired(BadRequest):
    def __init__(self) -> None:
        super().__init__("This request for a passkey has expired or was used already. Begin again")


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """A signature that is right. It counts once it is consumed."""

    passkey_id: UUID
    user_id: UUID
    challenge: str
    sign_count: int
    is_backed_up: bool


class PasskeyAssertions:
    """Verifies a signature while no connection is held. Consumes it with its effect."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.party = relying_party(scope.settings)

    async def begin(self, purpose: CeremonyPurpose, user_id: UUID | None = None) -> PasskeyOptions:
        """Ask for a signature of one of the user's passkeys, or of any passkey at a login."""
        await load_verification()
        from app.core.security.passkeys import verification  # noqa: PLC0415  it is loaded now

        rows = [] if user_id is None else await self.scope.reader.all(_OF_USER, user_id=user_id)
        allowed = [verification.KnownCredential(*row) for row in rows]
        ceremony = Ceremony(purpose, new_token(), user_id)
        options = verification.assertion_options(self.party, ceremony.challenge, allowed=allowed)
        state = sign_ceremony(self.scope.settings, ceremony)
        return PasskeyOptions(state=state, public_key=options)

    async def verify(
        self, proof: PasskeyProof, purpose: CeremonyPurpose, user_id: UUID | None = None
    ) -> VerifiedAssertion:
        """Raise CeremonyExpired, IncorrectPasskey, or TooManyAttempts."""
        ceremony = read_purpose(self.scope, proof.state, purpose, user_id)
        account = None if user_id is None else str(user_id)
        attempt = Attempt(Action.PASSKEY, self.scope.request.ip_address, account)
        async with self.scope.throttle.guess(attempt):
            return await self._verify(ceremony, proof)

    async def consume(self, verified: VerifiedAssertion) -> Passkey:
        """Consume a signature, and return its passkey. Lock the user first.

        Raise CeremonyExpired for a second use, and IncorrectPasskey for a passkey that was removed
        meanwhile, or whose count says that there is a copy of it.
        """
        if not await use_once(self.scope, verified.challenge, lifetime=LIFETIME):
            raise CeremonyExpired
        passkey = await self.uow.session.get(
            Passkey, verified.passkey_id, with_for_update=True, populate_existing=True
        )
        if passkey is None:
            raise IncorrectPasskey
        counts = passkey.sign_count > 0 or verified.sign_count > 0
        if counts and verified.sign_count <= passkey.sign_count:
            await self._report_copy(passkey)
            raise IncorrectPasskey
        passkey.sign_count, passkey.is_backed_up = verified.sign_count, verified.is_backed_up
        passkey.last_used_at = datetime.now(UTC)
        return passkey

    async def _verify(self, ceremony: Ceremony, proof: PasskeyProof) -> VerifiedAssertion:
        await load_verification()
        from app.core.security.passkeys import verification  # noqa: PLC0415  it is loaded now

        credential = proof.credential
        credential_id = decode(credential.raw_id)
        row = await self.scope.reader.first(_BY_CREDENTIAL, credential_id=credential_id)
        passkey_id, owner_id, public_key = row or (None, None, b"")
        if passkey_id is None or owner_id is None or not _may_sign(owner_id, ceremony, proof):
            raise self._failure(owner_id)
        try:
            assertion = verification.verify_assertion(
                self.party,
                ceremony.challenge,
                credential.model_dump(by_alias=True),
                public_key=public_key,
            )
        except verification.InvalidResponse as error:
            raise self._failure(owner_id) from error
        return VerifiedAssertion(
            passkey_id, owner_id, ceremony.challenge, assertion.sign_count, assertion.is_backed_up
        )

    def _failure(self, user_id: UUID | None) -> IncorrectPasskey:
        AuditTrail(self.scope).record(
            "passkey.failed", user_id=user_id, actor_id=self.scope.actor_id
        )
        self.uow.commit_on_refusal()
        return IncorrectPasskey()

    async def _report_copy(self, passkey: Passkey) -> None:
        log.warning("passkey.copied", user_id=str(passkey.user_id), passkey_id=str(passkey.id))
        owner = await self.uow.session.get_one(User, passkey.user_id)
        await notify(self.scope, owner, Alert.PASSKEY_COPIED, {"passkey_id": str(passkey.id)})
        self.uow.commit_on_refusal()


def read_purpose(
    scope: Scope, state: str, purpose: CeremonyPurpose, user_id: UUID | None
) -> Ceremony:
    """Return the ceremony of a state. Raise CeremonyExpired, also for another purpose or user."""
    ceremony = read_ceremony(scope.settings, state)
    if ceremony is None or ceremony.purpose is not purpose or ceremony.user_id != user_id:
        raise CeremonyExpired
    return ceremony


def decode(text: str) -> bytes:
    """Decode base64url, with its padding or without. What is malformed becomes nothing."""
    text = text.rstrip("=")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _may_sign(owner_id: UUID, ceremony: Ceremony, proof: PasskeyProof) -> bool:
    """Return whether the passkey belongs to the user of the ceremony, and names its own owner.

    At a login there is no user yet, so the passkey must say who its owner is.
    """
    handle = proof.credential.response.user_handle
    if ceremony.user_id is not None and ceremony.user_id != owner_id:
        return False
    if handle is None:
        return ceremony.user_id is not None
    return decode(handle) == owner_id.bytes
