"""Settings of outgoing email."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NameEmail, PositiveFloat, SecretStr

from app.core.configuration.group import SettingGroup
from app.core.configuration.hosts import is_local
from app.core.configuration.passwords import password_problems
from app.core.configuration.types import AnyCase, Mailbox

EXAMPLE_DOMAINS = ("@example.com", "@example.org", "@example.net")


class EmailSettings(SettingGroup):
    """The mail server, and the sender of all emails."""

    smtp_host: str = "localhost"
    smtp_port: int = Field(1025, ge=1, le=65_535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Annotated[Literal["none", "starttls", "tls"], AnyCase] = "none"
    smtp_timeout: PositiveFloat = 10
    mail_from: Mailbox = NameEmail("FastAPI Boilerplate", "noreply@example.com")

    def production_problems(self) -> Iterator[str]:
        yield from password_problems("SMTP_PASSWORD", self.smtp_password)
        if self.smtp_password and self.smtp_tls == "none" and not is_local(self.smtp_host):
            yield "SMTP_TLS is none, so SMTP_PASSWORD would be readable. Set it to starttls or tls"

    def production_warnings(self) -> Iterator[tuple[str, str]]:
        if self.mail_from.email.endswith(EXAMPLE_DOMAINS):
            yield "MAIL_FROM", "the domain is an example: mail servers reject such a sender"
