"""Encryption of stored secrets that the service must read again (AES-256-GCM)."""

import os
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from app.core.config import Settings
from app.core.security.keys import Keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_SIZE = 12


class DecryptionFailed(Exception):
    """The secret was changed, has another owner, or was encrypted with an unknown SECRET_KEY."""


class Decrypted(NamedTuple):
    """A secret, and whether it should be re-encrypted, because an earlier key encrypted it."""

    secret: bytes
    is_outdated: bool


def encrypt(settings: Settings, purpose: str, secret: bytes, *, owner: UUID) -> bytes:
    """Encrypt a secret for one purpose and owner. In the row of another owner, it is unreadable."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce + _cipher(Keys.of(settings, purpose).current).encrypt(nonce, secret, owner.bytes)


def decrypt(settings: Settings, purpose: str, encrypted: bytes, *, owner: UUID) -> Decrypted:
    """Return the secret. Raises DecryptionFailed."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  as in `_cipher`

    nonce, ciphertext = encrypted[:NONCE_SIZE], encrypted[NONCE_SIZE:]

    def attempt(key: bytes) -> bytes:
        return _cipher(key).decrypt(nonce, ciphertext, owner.bytes)

    try:
        secret, is_current = Keys.of(settings, purpose).try_each(attempt, wrong_key=InvalidTag)
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed from error
    return Decrypted(secret, is_outdated=not is_current)


def _cipher(key: bytes) -> "AESGCM":
    # Few requests encrypt anything, and the library takes 9 MiB.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)
