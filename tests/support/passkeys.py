"""A software authenticator, which uses passkeys like a phone or a security key."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from secrets import token_bytes
from typing import Any
from uuid import UUID

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from app.models import Passkey

ORIGIN = "https://service.example.com"

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 1, 4, 8, 16, 64

Options = Mapping[str, Any]
Credential = dict[str, Any]


@dataclass
class PrivateKey:
    """The private key of a passkey. A `copy` does not count later signatures."""

    id: bytes
    party: str
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey
    sign_count: int = 0

    def copy(self) -> "PrivateKey":
        return replace(self)


@dataclass
class SoftwareAuthenticator:
    """An authenticator that answers the options of the service like a browser.

    A test changes its fields to act as an attacker or as another device.
    """

    origin: str = ORIGIN
    party: str | None = None
    flags: int = USER_PRESENT | USER_VERIFIED
    counts: bool = True
    keys: list[PrivateKey] = field(default_factory=list)

    def create(self, options: Options) -> Credential:
        """Create a passkey, as `navigator.credentials.create()` does."""
        key = PrivateKey(
            id=token_bytes(32),
            party=options["rp"]["id"],
            user_handle=decode(options["user"]["id"]),
            key=ec.generate_private_key(ec.SECP256R1()),
        )
        self.keys.append(key)
        attested = bytes(16) + len(key.id).to_bytes(2, "big") + key.id + _cose(key)
        statement = {
            "fmt": "none",
            "attStmt": {},
            "authData": self._data(key, self.flags | ATTESTED) + attested,
        }
        return _credential(
            key,
            clientDataJSON=encode(self._client_data("webauthn.create", options)),
            attestationObject=encode(cbor2.dumps(statement)),
            transports=["internal", "hybrid"],
        )

    def get(self, options: Options, key: PrivateKey | None = None) -> Credential:
        """Sign with a passkey, as `navigator.credentials.get()` does."""
        key = key or self._choose(options)
        key.sign_count += self.counts
        client_data = self._client_data("webauthn.get", options)
        data = self._data(key, self.flags)
        signature = key.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return _credential(
            key,
            clientDataJSON=encode(client_data),
            authenticatorData=encode(data),
            signature=encode(signature),
            userHandle=encode(key.user_handle),
        )

    def _choose(self, options: Options) -> PrivateKey:
        allowed = {decode(it["id"]) for it in options.get("allowCredentials", [])}
        return next(key for key in self.keys if not allowed or key.id in allowed)

    def _client_data(self, kind: str, options: Options) -> bytes:
        challenge = options["challenge"]
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(data).encode()

    def _data(self, key: PrivateKey, flags: int) -> bytes:
        party = hashlib.sha256((self.party or key.party).encode()).digest()
        return party + bytes([flags]) + key.sign_count.to_bytes(4, "big")


def passkey_of(user_id: UUID) -> Passkey:
    """Return a stored passkey without an authenticator, for tests that never use it."""
    return Passkey(
        user_id=user_id,
        name="phone",
        credential_id=token_bytes(16),
        public_key=b"1",
        sign_count=0,
        transports=[],
        is_backup_eligible=True,
        is_backed_up=True,
    )


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _credential(key: PrivateKey, **response: object) -> Credential:
    return {
        "id": encode(key.id),
        "rawId": encode(key.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }


def _cose(key: PrivateKey) -> bytes:
    """Return the public key as COSE writes it: an ES256 key on P-256."""
    numbers = key.key.public_key().public_numbers()
    x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
