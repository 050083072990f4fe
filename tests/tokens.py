"""Access tokens that somebody tampered with."""

import time
from uuid import uuid4

import jwt

from app.core.config import Settings
from app.core.tokens import ALGORITHM, derive_key
from tests.accounts import Person

HEADER = {"typ": "at+jwt"}


def claims_of(settings: Settings, person: Person, **changes: object) -> dict[str, object]:
    """Return what a good token says, with changes; a claim that becomes None is left out."""
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
    """Sign claims with our key, unless told otherwise."""
    if key is None:
        key = derive_key(settings, "access token")
    return jwt.encode(claims, key, algorithm, headers={**HEADER, **(header or {})})


def expired(settings: Settings, person: Person) -> str:
    """A good token, a minute too late."""
    return signed(
        settings, claims_of(settings, person, iat=int(time.time()) - 120, exp=int(time.time()) - 60)
    )


def forged(settings: Settings, person: Person) -> str:
    """A token that is right but for the key."""
    return signed(settings, claims_of(settings, person), key=b"k" * 32)
