"""Composes an email, delivers it, and classifies the refusals of the mail server."""

from email.headerregistry import Address
from email.message import EmailMessage as MimeMessage
from email.utils import formatdate
from functools import partial

import idna
import structlog
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPSenderRefused,
)
from pydantic import NameEmail

from app.core.config import Settings
from app.core.mailer.message import EmailMessage, EmailRejected, SendingRefused
from app.core.smtp_replies import is_permanent, is_undeliverable
from app.core.telemetry.spans import Attributes
from app.core.telemetry.tracing import span

log = structlog.stdlib.get_logger("app.core.mailer")


async def send(settings: Settings, message: EmailMessage, key: str) -> None:
    """Send an email, as `Mailer.send` does."""
    try:
        with span("smtp send", "client", partial(_destination, settings)):
            await _deliver(settings, _compose(settings.mail_from, message, key))
    except SMTPException as error:
        if is_undeliverable(error):
            raise EmailRejected(str(error)) from error
        if is_permanent(error):
            raise _alert(error) from error
        raise


async def _deliver(settings: Settings, message: MimeMessage) -> None:
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


def _destination(settings: Settings) -> Attributes:
    return {
        "network.protocol.name": "smtp",
        "server.address": settings.smtp_host,
        "server.port": settings.smtp_port,
    }


def _alert(error: SMTPException) -> SendingRefused:
    """Log what the operator must do, and return the error to raise."""
    log.error("email.sending_refused", cause=str(error), cure=_cure(error))
    return SendingRefused(str(error))


def _compose(mail_from: NameEmail, message: EmailMessage, key: str) -> MimeMessage:
    sender = _address(mail_from.email, mail_from.name)
    mime = MimeMessage()
    mime["From"] = sender
    mime["To"] = _address(message.to)
    mime["Subject"] = message.subject
    mime["Date"] = formatdate()
    mime["Message-ID"] = f"<{key}@{sender.domain}>"
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
