"""An email before it is rendered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from app.models import User


class NothingToSend(Exception):
    """The job is void: its recipient is gone, or what it announces no longer holds."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The recipient, the subject, and the values of the templates.

    `template` names the templates where they are not those of the function.
    """

    recipient: str
    subject: str
    values: Mapping[str, object]
    template: str | None = None

    @classmethod
    def to(cls, user: User, subject: str, template: str | None = None, **values: object) -> Self:
        """Address a user, by name if the address is confirmed.

        Anyone can sign up with an address that is not theirs: a name would be their message to it.
        """
        name = user.full_name if user.email_verified_at is not None else None
        return cls(user.email, subject, {"name": name, **values}, template)
