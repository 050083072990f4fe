"""An email before it is rendered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from app.models import User


class NothingToSend(Exception):
    """The email is no longer needed: its recipient is gone, or its content is no longer true."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The recipient, the subject, and the values of the templates.

    `template` names the templates if they differ from the function's name.
    """

    recipient: str
    subject: str
    values: Mapping[str, object]
    template: str | None = None

    @classmethod
    def to(cls, user: User, subject: str, /, template: str | None = None, **values: object) -> Self:
        """Address a user, by name if the address is confirmed.

        An attacker can sign up with an address of another person, and use the name as a message.
        """
        name = user.full_name if user.email_verified_at is not None else None
        return cls(user.email, subject, {"name": name, **values}, template)
