"""Access tokens. They are signed, so that the service does not have to store them."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import jwt

from app.core.config import Settings
from app.core.exceptions import Unauthenticated
from app.core.security.keys import Keys

ALGORITHM = "HS256"
TYPE = "access"
ACCESS_TOKEN = "access token"  # noqa: S105  a purpose
CLAIMS = ["iss", "aud", "sub", "sid", "exp", "iat", "jti", "typ"]
MAX_LENGTH = 2_048
MAX_VERIFIED = 4_096
"""The number of cached verified tokens, about 1 kB each. A client sends its token many times."""

_HEADER = {"typ": "at+jwt"}
_FIRST_PART = jwt.encode({}, bytes(32), ALGORITHM, headers=_HEADER).partition(".")[0] + "."
"""The header with which all tokens of this service start. Others have another algorithm or type."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The user and the session of an access token."""

    user_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """An access token whose signature and claims are valid until it expires."""

    token: AccessToken
    expires_at: float


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
    key = Keys.of(settings, ACCESS_TOKEN).current
    return jwt.encode(claims, key, ALGORITHM, headers=_HEADER)


def read_access_token(settings: Settings, token: str) -> AccessToken:
    """Verify the signature and every claim. Raises Unauthenticated for an invalid token."""
    return verify_access_token(settings, token).token


def verify_access_token(settings: Settings, token: str) -> VerifiedToken:
    """Verify a token, and return when it expires, too. Raises Unauthenticated."""
    if len(token) > MAX_LENGTH or not token.startswith(_FIRST_PART):
        raise Unauthenticated
    keys = Keys.of(settings, ACCESS_TOKEN)
    verified = _verified(token, keys, str(settings.public_url), settings.access_token_lifetime)
    if verified.expires_at <= time.time():
        raise Unauthenticated
    return verified


@lru_cache(MAX_VERIFIED)
def _verified(token: str, keys: Keys, public_url: str, max_lifetime: int) -> VerifiedToken:
    """Verify everything except that the token has not expired since. Failures are not cached."""

    def decode(key: bytes) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=public_url,
            audience=public_url,
            options={"require": CLAIMS, "strict_aud": True},
        )

    try:
        claims, _ = keys.try_each(decode, wrong_key=jwt.InvalidSignatureError)
        if claims["typ"] != TYPE or claims["exp"] - claims["iat"] > max_lifetime:
            raise Unauthenticated
        access_token = AccessToken(UUID(claims["sub"]), UUID(claims["sid"]))
        return VerifiedToken(access_token, claims["exp"])
    except (jwt.PyJWTError, TypeError, ValueError, AttributeError) as error:
        raise Unauthenticated from error
