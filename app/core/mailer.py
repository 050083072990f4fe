"""Sends one e-mail over SMTP."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

import aiosmtplib

from app.core.config import Settings

PERMANENT_FAILURE = 500
"""SMTP reply codes from here on say that trying again is pointless (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True)
class Mail:
    to: str
    subject: str
    text: str
    html: str


class MailRefused(Exception):
    """The mail server refuses this message for good."""


class Mailer:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = str(settings.mail_from)
        self._domain = settings.mail_from.email.rpartition("@")[2]

    async def send(self, mail: Mail, *, key: str) -> None:
        """Send a mail.

        The same `key` gives the same Message-ID, by which a repeated mail can be recognised.

        Raises MailRefused for a failure that is final, aiosmtplib.SMTPException or OSError for
        one that is worth another try.
        """
        settings = self._settings
        password = settings.smtp_password
        try:
            await aiosmtplib.send(
                self._compose(mail, key),
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user,
                password=password.get_secret_value() if password else None,
                use_tls=settings.smtp_tls == "tls",
                start_tls=settings.smtp_tls == "starttls",
                timeout=settings.smtp_timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refusal.code >= PERMANENT_FAILURE for refusal in error.recipients):
                raise MailRefused(str(error)) from error
            raise
        except aiosmtplib.SMTPResponseException as error:
            if error.code >= PERMANENT_FAILURE:
                raise MailRefused(str(error)) from error
            raise

    def _compose(self, mail: Mail, key: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{key}@{self._domain}>"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message
