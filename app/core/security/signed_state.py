"""Signed state that a client stores for the service. The client can read but not change it."""

import time
from collections.abc import Mapping

import jwt
from pydantic import JsonValue

from app.core.config import Settings
from app.core.security.keys import Keys

ALGORITHM = "HS256"
MAX_LENGTH = 2_048


def sign_state(
    settings: Settings, purpose: str, state: Mapping[str, JsonValue], *, lifetime: int
) -> str:
    """Sign a state for one purpose, valid for `lifetime` seconds."""
    claims = {**state, "aud": purpose, "exp": int(time.time()) + lifetime}
    return jwt.encode(claims, Keys.of(settings, purpose).current, ALGORITHM)


def read_state(settings: Settings, purpose: str, signed: str) -> Mapping[str, JsonValue] | None:
    """Return a state that was signed for a purpose, or None if it is invalid or has expired."""
    if len(signed) > MAX_LENGTH:
        return None

    def decode(key: bytes) -> Mapping[str, JsonValue]:
        return jwt.decode(
            signed,
            key,
            algorithms=[ALGORITHM],
            audience=purpose,
            options={"require": ["aud", "exp"]},
        )

    try:
        keys = Keys.of(settings, purpose)
        claims, _ = keys.try_each(decode, wrong_key=jwt.InvalidSignatureError)
    except jwt.PyJWTError:
        return None
    return claims
