"""Ceremonies: the challenge that a passkey signs, and its purpose.

The client keeps the signed ceremony until the passkey has responded. It can be used once.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError

from app.core.config import Settings
from app.core.security.signed_state import read_state, sign_state

AUDIENCE = "passkey ceremony"
LIFETIME = 300
"""Seconds that a user has to unlock a phone, or to find a security key."""


class CeremonyPurpose(StrEnum):
    """The purpose of a ceremony. The response to one is invalid for another."""

    REGISTRATION = "registration"
    LOGIN = "login"
    SECOND_FACTOR = "second factor"
    PROOF = "proof"


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A ceremony. `user_id` is None at a login, in which the passkey identifies the user."""

    purpose: CeremonyPurpose
    challenge: Annotated[str, Field(min_length=32)]
    user_id: UUID | None = None


_ceremony = TypeAdapter(Ceremony)


def sign_ceremony(settings: Settings, ceremony: Ceremony) -> str:
    state = _ceremony.dump_python(ceremony, mode="json")
    return sign_state(settings, AUDIENCE, {"ceremony": state}, lifetime=LIFETIME)


def read_ceremony(settings: Settings, signed: str) -> Ceremony | None:
    """Return the ceremony, or None if it is invalid or has expired."""
    state = read_state(settings, AUDIENCE, signed)
    try:
        return None if state is None else _ceremony.validate_python(state.get("ceremony"))
    except ValidationError:
        return None
