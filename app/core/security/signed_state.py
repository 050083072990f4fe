"""State that a client keeps for us for a while. It can read the state, but not write it."""

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
    """Sign a state for one purpose and a number of seconds: only we can have issued it."""
    claims = {**state, "aud": purpose, "exp": int(time.time()) + lifetime}
    return jwt.encode(claims, Keys.of(settings, purpose).current, ALGORITHM)


def read_state(settings: Settings, purpose: str, signed: str) -> Mapping[str, JsonValue] | None:
    """Return a state that was signed for a purpose; None if it is invalid in any way."""
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
