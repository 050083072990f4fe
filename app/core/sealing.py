"""Secrets that we must be able to read again, sealed before they are stored (AES-256-GCM)."""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.config import Settings
from app.core.tokens import derive_key

NONCE_SIZE = 12


class Unreadable(Exception):
    """A sealed secret was changed, is somebody else's, or was sealed under another SECRET_KEY."""


def seal(settings: Settings, purpose: str, secret: bytes, *, owner: UUID) -> bytes:
    """Encrypt a secret for one purpose and one owner: in another's row, it cannot be read."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce + _cipher(settings, purpose).encrypt(nonce, secret, owner.bytes)


def unseal(settings: Settings, purpose: str, sealed: bytes, *, owner: UUID) -> bytes:
    """Return what was sealed. Raises Unreadable."""
    nonce, encrypted = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
    try:
        return _cipher(settings, purpose).decrypt(nonce, encrypted, owner.bytes)
    except (InvalidTag, ValueError) as error:
        raise Unreadable from error


def _cipher(settings: Settings, purpose: str) -> AESGCM:
    return AESGCM(derive_key(settings, purpose))
