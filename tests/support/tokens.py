"""Access tokens that an attacker has tampered with."""

import time
from uuid import uuid4

import jwt

from app.core.config import Settings
from app.core.security.access_tokens import ALGORITHM
from app.core.security.keys import Keys
from tests.support.accounts import Person

HEADER = {"typ": "at+jwt"}


def claims_of(settings: Settings, person: Person, **changes: object) -> dict[str, object]:
    """Return the claims of a valid token with changes. A claim that is None is left out."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": str(settings.public_url),
        "aud": str(settings.public_url),
        "sub": str(person.id),
        "sid": str(person.session_id),
        "iat": now,
        "exp": now + 60,
        "jti": uuid4().hex,
        "typ": "access",
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def signed(
    settings: Settings,
    claims: dict[str, object],
    *,
    key: bytes | str | None = None,
    algorithm: str = ALGORITHM,
    header: dict[str, object] | None = None,
) -> str:
    """Sign claims, by default with the key of the service."""
    if key is None:
        key = Keys.of(settings, "access token").current
    return jwt.encode(claims, key, algorithm, headers={**HEADER, **(header or {})})


def expired(settings: Settings, person: Person) -> str:
    """Return a token that expired a minute ago."""
    return signed(
        settings, claims_of(settings, person, iat=int(time.time()) - 120, exp=int(time.time()) - 60)
    )


def forged(settings: Settings, person: Person) -> str:
    """Return a token that is valid except for its key."""
    return signed(settings, claims_of(settings, person), key=b"k" * 32)
