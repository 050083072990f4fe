"""Tokens: signed ones, which a client can read, and opaque ones, of which we keep only a hash."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import jwt

from app.core.config import Settings
from app.core.exceptions import Unauthenticated

ALGORITHM = "HS256"
TYPE = "access"
CLAIMS = ["iss", "aud", "sub", "sid", "exp", "iat", "jti", "typ"]
MAX_LENGTH = 2_048

_HEADER = {"typ": "at+jwt"}
_FIRST_PART = jwt.encode({}, bytes(32), ALGORITHM, headers=_HEADER).partition(".")[0] + "."
"""All our tokens begin with it: what names an algorithm, a key or a type of its own is not ours."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token says: whose it is, and which session it belongs to."""

    user_id: UUID
    session_id: UUID


def issue_access_token(settings: Settings, token: AccessToken) -> str:
    """Sign a token for ACCESS_TOKEN_LIFETIME."""
    now = int(time.time())
    public_url = str(settings.public_url)
    claims = {
        "iss": public_url,
        "aud": public_url,
        "sub": str(token.user_id),
        "sid": str(token.session_id),
        "iat": now,
        "exp": now + settings.access_token_lifetime,
        "jti": uuid4().hex,
        "typ": TYPE,
    }
    return jwt.encode(claims, derive_key(settings, "access token"), ALGORITHM, headers=_HEADER)


def read_access_token(settings: Settings, token: str) -> AccessToken:
    """Check the signature and every claim. Raises Unauthenticated, whatever is wrong."""
    if len(token) > MAX_LENGTH or not token.startswith(_FIRST_PART):
        raise Unauthenticated
    public_url = str(settings.public_url)
    try:
        claims = jwt.decode(
            token,
            derive_key(settings, "access token"),
            algorithms=[ALGORITHM],
            issuer=public_url,
            audience=public_url,
            options={"require": CLAIMS, "strict_aud": True},
        )
        lifetime = claims["exp"] - claims["iat"]
        if claims["typ"] != TYPE or lifetime > settings.access_token_lifetime:
            raise Unauthenticated
        return AccessToken(UUID(claims["sub"]), UUID(claims["sid"]))
    except (jwt.PyJWTError, TypeError, ValueError, AttributeError) as error:
        raise Unauthenticated from error


def new_token() -> str:
    """Make an opaque token of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Hash an opaque token. It is random: one pass of SHA-256 leaves nothing to guess."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def derive_key(settings: Settings, purpose: str) -> bytes:
    """Derive the 256-bit key of one purpose, so that what one key signs is no use for another."""
    secret = settings.secret_key.get_secret_value().encode()
    return hmac.digest(secret, purpose.encode(), "sha256")
