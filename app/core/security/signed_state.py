"""Signed state that a client stores for the service. The client can read but not change it."""

import time
from collections.abc import Mapping

from pydantic import JsonValue

from app.core.config import Settings
from app.core.security.keys import Keys
from app.core.security.signed_claims import InvalidToken, WrongSignature, header, sign, verify

_HEADER = header("JWT")


def sign_state(
    settings: Settings, purpose: str, state: Mapping[str, JsonValue], *, lifetime: int
) -> str:
    """Sign a state for one purpose, valid for `lifetime` seconds."""
    claims = {**state, "aud": purpose, "exp": int(time.time()) + lifetime}
    return sign(claims, Keys.of(settings, purpose).current, header=_HEADER)


def read_state(settings: Settings, purpose: str, signed: str) -> Mapping[str, JsonValue] | None:
    """Return a state that was signed for a purpose, or None if it is invalid or has expired."""

    def verify_with(key: bytes) -> Mapping[str, JsonValue]:
        return verify(signed, key, header=_HEADER, audience=purpose)

    try:
        keys = Keys.of(settings, purpose)
        claims, _ = keys.try_each(verify_with, wrong_key=WrongSignature)
    except InvalidToken:
        return None
    return claims
