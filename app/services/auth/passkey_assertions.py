"""Passkey signatures, which log a user in or prove again who the user is."""

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
        super().__init__("This request for a passkey has expired or was already used. Start again")


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """A valid signature that has yet to be consumed."""

    passkey_id: UUID
    user_id: UUID
    challenge: str
    sign_count: int
    is_backed_up: bool


class PasskeyAssertions:
    """Verifies a signature before the transaction, and consumes it in the transaction."""

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
        ceremony = require_ceremony(self.scope, proof.state, purpose, user_id)
        account = None if user_id is None else str(user_id)
        attempt = Attempt(Action.PASSKEY, self.scope.request.ip_address, account)
        async with self.scope.throttle.guess(attempt):
            return await self._verify(ceremony, proof)

    async def consume(self, verified: VerifiedAssertion) -> Passkey:
        """Consume a signature, and return its passkey. Lock the user first.

        Raise CeremonyExpired for a second use. Raise IncorrectPasskey if the passkey was removed in
        the meantime, or if its counter shows that a copy of it exists.
        """
        if not await use_once(self.scope, verified.challenge, lifetime=LIFETIME):
            raise CeremonyExpired
        passkey = await self.uow.session.get(
            Passkey, verified.passkey_id, with_for_update=True, populate_existing=True
        )
        if passkey is None:
            raise IncorrectPasskey
        has_counter = passkey.sign_count > 0 or verified.sign_count > 0
        if has_counter and verified.sign_count <= passkey.sign_count:
            await self._report_copy(passkey)
            raise IncorrectPasskey
        passkey.sign_count, passkey.is_backed_up = verified.sign_count, verified.is_backed_up
        passkey.last_used_at = datetime.now(UTC)
        return passkey

    async def _verify(self, ceremony: Ceremony, proof: PasskeyProof) -> VerifiedAssertion:
        await load_verification()
        from app.core.security.passkeys import verification  # noqa: PLC0415  it is loaded now

        credential = proof.credential
        credential_id = decode_base64url(credential.raw_id)
        row = await self.scope.reader.first(_BY_CREDENTIAL, credential_id=credential_id)
        passkey_id, owner_id, public_key = row or (None, None, b"")
        if passkey_id is None or owner_id is None or not _may_sign(owner_id, ceremony, proof):
            raise self._record_failure(owner_id)
        try:
            assertion = verification.verify_assertion(
                self.party,
                ceremony.challenge,
                credential.model_dump(by_alias=True),
                public_key=public_key,
            )
        except verification.InvalidResponse as error:
            raise self._record_failure(owner_id) from error
        return VerifiedAssertion(
            passkey_id, owner_id, ceremony.challenge, assertion.sign_count, assertion.is_backed_up
        )

    def _record_failure(self, user_id: UUID | None) -> IncorrectPasskey:
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


def require_ceremony(
    scope: Scope, state: str, purpose: CeremonyPurpose, user_id: UUID | None
) -> Ceremony:
    """Return the ceremony of a state. Raise CeremonyExpired, also for another purpose or user."""
    ceremony = read_ceremony(scope.settings, state)
    if ceremony is None or ceremony.purpose is not purpose or ceremony.user_id != user_id:
        raise CeremonyExpired
    return ceremony


def decode_base64url(text: str) -> bytes:
    """Decode text with or without padding. Return no bytes if it is malformed."""
    text = text.rstrip("=")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _may_sign(owner_id: UUID, ceremony: Ceremony, proof: PasskeyProof) -> bool:
    """Return whether the passkey belongs to the user of the ceremony, and names its owner.

    A login has no user yet, so the passkey must name its owner.
    """
    handle = proof.credential.response.user_handle
    if ceremony.user_id is not None and ceremony.user_id != owner_id:
        return False
    if handle is None:
        return ceremony.user_id is not None
    return decode_base64url(handle) == owner_id.bytes
