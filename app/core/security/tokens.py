"""Opaque tokens, of which the database stores only hashes."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode

from app.core.config import Settings
from app.core.security.keys import Keys


def new_token() -> str:
    """Return an opaque token of 256 random bits."""
    return secrets.token_urlsafe(32)


def successors_of(settings: Settings, token: str) -> list[str]:
    """Derive the successor of a token with the current key and with each earlier key.

    The service can derive it again without storing it. Without the key, a token does not reveal
    its successor.
    """
    return [
        urlsafe_b64encode(hmac.digest(key, token.encode(errors="replace"), "sha256"))
        .rstrip(b"=")
        .decode()
        for key in Keys.of(settings, "refresh token successor")
    ]


def hash_token(token: str) -> bytes:
    """Hash an opaque token. It is random, so a single pass of SHA-256 is enough."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
