"""Access tokens. They are signed, so that the service does not have to store them."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from app.core.config import Settings
from app.core.exceptions import Unauthenticated
from app.core.security.keys import Keys
from app.core.security.signed_claims import InvalidToken, WrongSignature, header, sign, verify

TYPE = "access"
ACCESS_TOKEN = "access token"  # noqa: S105  a purpose
CLAIMS = {"iss", "aud", "sub", "sid", "exp", "iat", "jti", "typ"}
MAX_VERIFIED = 4_096
"""The number of cached verified tokens, about 1 kB each. A client sends its token many times."""

_HEADER = header("at+jwt")


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
    return sign(claims, key, header=_HEADER)


def read_access_token(settings: Settings, token: str) -> AccessToken:
    """Verify the signature and every claim. Raises Unauthenticated for an invalid token."""
    return verify_access_token(settings, token).token


def verify_access_token(settings: Settings, token: str) -> VerifiedToken:
    """Verify a token, and return when it expires, too. Raises Unauthenticated."""
    keys = Keys.of(settings, ACCESS_TOKEN)
    verified = _verified(token, keys, str(settings.public_url), settings.access_token_lifetime)
    if verified.expires_at <= time.time():
        raise Unauthenticated
    return verified


@lru_cache(MAX_VERIFIED)
def _verified(token: str, keys: Keys, public_url: str, max_lifetime: int) -> VerifiedToken:
    """Verify everything except that the token has not expired since. Failures are not cached."""

    def verify_with(key: bytes) -> dict[str, Any]:
        return verify(token, key, header=_HEADER, audience=public_url)

    try:
        claims, _ = keys.try_each(verify_with, wrong_key=WrongSignature)
        if claims.keys() != CLAIMS or (claims["iss"], claims["typ"]) != (public_url, TYPE):
            raise Unauthenticated
        if claims["iat"] > time.time() or claims["exp"] - claims["iat"] > max_lifetime:
            raise Unauthenticated
        access_token = AccessToken(UUID(claims["sub"]), UUID(claims["sid"]))
        return VerifiedToken(access_token, claims["exp"])
    except (InvalidToken, TypeError, ValueError, AttributeError) as error:
        raise Unauthenticated from error
