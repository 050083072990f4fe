"""The options for authenticators, and the verification of their responses.

Only this module imports the library. Services import this module at the first use, because the
library takes a quarter of a second to load, and workers never need it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.core.security.passkeys.ceremony import LIFETIME
from app.core.security.passkeys.relying_party import RelyingParty

TIMEOUT = LIFETIME * 1000

Result = TypeVar("Result")
Credential = Mapping[str, Any]
"""A credential as `PublicKeyCredential.toJSON()` returns it."""

log = structlog.stdlib.get_logger(__name__)


class InvalidResponse(Exception):
    """The response of an authenticator is malformed, or its verification failed."""


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A passkey of a user, and how a browser connects to it."""

    id: bytes
    transports: Iterable[str]


@dataclass(frozen=True, slots=True)
class NewCredential:
    id: bytes
    public_key: bytes
    sign_count: int
    is_backup_eligible: bool
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    sign_count: int
    is_backed_up: bool


def registration_options(
    party: RelyingParty,
    challenge: str,
    *,
    user_id: UUID,
    user_name: str,
    existing: Iterable[KnownCredential],
) -> dict[str, Any]:
    """Return options for a new passkey, on an authenticator that has none of the existing ones.

    The passkey can log in without a user name and a password.
    """
    return options_to_json_dict(
        generate_registration_options(
            rp_id=party.id,
            rp_name=party.name,
            user_id=user_id.bytes,
            user_name=user_name,
            challenge=base64url_to_bytes(challenge),
            timeout=TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_descriptor(credential) for credential in existing],
        )
    )


def assertion_options(
    party: RelyingParty, challenge: str, *, allowed: Iterable[KnownCredential]
) -> dict[str, Any]:
    """Return options for a signature of one of these passkeys, or of any if there are none."""
    return options_to_json_dict(
        generate_authentication_options(
            rp_id=party.id,
            challenge=base64url_to_bytes(challenge),
            timeout=TIMEOUT,
            allow_credentials=[_descriptor(credential) for credential in allowed],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def verify_registration(
    party: RelyingParty, challenge: str, credential: Credential
) -> NewCredential:
    """Raise InvalidResponse."""
    verified = _attempt(
        lambda: verify_registration_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origins,
            require_user_verification=True,
        )
    )
    return NewCredential(
        id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        is_backup_eligible=verified.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        is_backed_up=verified.credential_backed_up,
    )


def verify_assertion(
    party: RelyingParty, challenge: str, credential: Credential, *, public_key: bytes
) -> Assertion:
    """Raise InvalidResponse. The caller compares the signature counter with the stored one."""
    verified = _attempt(
        lambda: verify_authentication_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origins,
            credential_public_key=public_key,
            # The library compares the counter before it verifies the signature, so that anyone
            # could report a copied passkey. The caller compares it instead.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    )
    return Assertion(verified.new_sign_count, verified.credential_backed_up)


def _descriptor(credential: KnownCredential) -> PublicKeyCredentialDescriptor:
    known = {transport.value for transport in AuthenticatorTransport}
    transports = [AuthenticatorTransport(it) for it in credential.transports if it in known]
    return PublicKeyCredentialDescriptor(id=credential.id, transports=transports or None)


def _attempt(verify: Callable[[], Result]) -> Result:
    try:
        return verify()
    except Exception as error:
        # The library parses untrusted data, and does not document which errors it raises.
        log.info("passkey.rejected", error=type(error).__name__, reason=str(error))
        raise InvalidResponse from error
