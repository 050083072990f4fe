"""An email, and the errors after which no retry can send it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmailMessage:
    to: str
    subject: str
    text: str
    html: str


class EmailRejected(Exception):
    """The mail server will never accept this message or its recipient."""


class SendingRefused(Exception):
    """The mail server accepts no message of this service until the operator changes a setting."""
