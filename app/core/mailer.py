"""Sends emails over SMTP."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage as MimeMessage
from email.utils import formatdate

import idna
import structlog
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPSenderRefused,
)

from app.core.config import Settings
from app.core.smtp_replies import is_permanent, is_undeliverable
from app.core.telemetry.spans import Attributes
from app.core.telemetry.tracing import span

log = structlog.stdlib.get_logger(__name__)


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


class Mailer:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = _address(settings.mail_from.email, settings.mail_from.name)

    async def send(self, message: EmailMessage, *, key: str) -> None:
        """Send an email. The same `key` gives the same Message-ID, so that servers see duplicates.

        Raises EmailRejected if no retry can succeed. After any other failure, a retry may succeed:
        SendingRefused for the credentials, the sender, or the quota of this service;
        aiosmtplib.SMTPException; OSError.
        """
        try:
            with span("smtp send", "client", self._destination):
                await self._deliver(self._compose(message, key))
        except SMTPException as error:
            if is_undeliverable(error):
                raise EmailRejected(str(error)) from error
            if is_permanent(error):
                raise self._alert(error) from error
            raise

    async def _deliver(self, message: MimeMessage) -> None:
        settings = self._settings
        password = settings.smtp_password
        async with SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=settings.smtp_timeout,
        ) as connection:
            try:
                await connection.send_message(message)
            except SMTPNotSupported as error:
                # `_address` has made the domain ASCII, so the server rejects the part before the @.
                raise EmailRejected(str(error)) from error

    def _destination(self) -> Attributes:
        return {
            "network.protocol.name": "smtp",
            "server.address": self._settings.smtp_host,
            "server.port": self._settings.smtp_port,
        }

    def _alert(self, error: SMTPException) -> SendingRefused:
        """Log what the operator must do, and return the error to raise."""
        log.error("email.sending_refused", cause=str(error), cure=_cure(error))
        return SendingRefused(str(error))

    def _compose(self, message: EmailMessage, key: str) -> MimeMessage:
        mime = MimeMessage()
        mime["From"] = self._sender
        mime["To"] = _address(message.to)
        mime["Subject"] = message.subject
        mime["Date"] = formatdate()
        mime["Message-ID"] = f"<{key}@{self._sender.domain}>"
        mime.set_content(message.text)
        mime.add_alternative(message.html, subtype="html")
        return mime


def _address(email: str, name: str = "") -> Address:
    """Return a mailbox for a header, with the domain in ASCII, which every server accepts."""
    username, _, domain = email.rpartition("@")
    return Address(name, username, idna.encode(domain, uts46=True).decode())


def _cure(error: SMTPException) -> str:
    if isinstance(error, SMTPAuthenticationError):
        return "Correct SMTP_USER and SMTP_PASSWORD"
    if isinstance(error, SMTPSenderRefused):
        return "Allow the sender MAIL_FROM on the mail server, or change MAIL_FROM"
    return "Check SMTP_USER, SMTP_TLS, MAIL_FROM, and the quota on the mail server"
