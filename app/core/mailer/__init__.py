"""Sends emails over SMTP."""

from app.core.config import Settings
from app.core.mailer.message import EmailMessage, EmailRejected, SendingRefused

__all__ = ["EmailMessage", "EmailRejected", "Mailer", "SendingRefused"]


class Mailer:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, message: EmailMessage, *, key: str) -> None:
        """Send an email. The same `key` gives the same Message-ID, so that servers see duplicates.

        Raises EmailRejected if no retry can succeed. After any other failure, a retry may succeed:
        SendingRefused for the credentials, the sender, or the quota of this service;
        aiosmtplib.SMTPException; OSError.
        """
        # Only workers of the queue `email` send any, and the libraries take a MiB.
        from app.core.mailer.smtp import send  # noqa: PLC0415

        await send(self._settings, message, key)
