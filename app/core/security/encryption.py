"""Encryption of stored secrets that the service must read again (AES-256-GCM)."""

import os
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.config import Settings
from app.core.security.keys import Keys

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
    return nonce + AESGCM(Keys.of(settings, purpose).current).encrypt(nonce, secret, owner.bytes)


def decrypt(settings: Settings, purpose: str, encrypted: bytes, *, owner: UUID) -> Decrypted:
    """Return the secret. Raises DecryptionFailed."""
    nonce, ciphertext = encrypted[:NONCE_SIZE], encrypted[NONCE_SIZE:]

    def attempt(key: bytes) -> bytes:
        return AESGCM(key).decrypt(nonce, ciphertext, owner.bytes)

    try:
        secret, is_current = Keys.of(settings, purpose).try_each(attempt, wrong_key=InvalidTag)
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed from error
    return Decrypted(secret, is_outdated=not is_current)
