"""The jobs, which are sent through Redis. A class is a job's name, and its fields are arguments.

No job contains the token of a link, because tokens are created when the email is rendered.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.mailer import EmailRejected
from app.core.queue import BASE, EMAIL, Job


class EmailJob(Job, queue=EMAIL):
    """A job that sends one email. `app/services/emails/catalog.py` has the email's function."""

    def __init_subclass__(cls) -> None:
        # Retry for four days on average, as RFC 5321 recommends (4.5.4.1). So an expired password
        # or an exceeded quota of the mail server loses no email, even over a long weekend.
        super().__init_subclass__(
            queue=EMAIL, max_tries=200, timeout=30, backoff=30, final=(EmailRejected,)
        )


# The link is for this address. If the account has another address, nothing is sent. Only jobs of
# earlier releases have no address.
class SendWelcomeEmail(EmailJob):
    user_id: UUID
    email: str | None = None


class SendNewAccount(EmailJob):
    user_id: UUID
    email: str | None = None


class SendEmailChange(EmailJob):
    user_id: UUID
    email: str | None = None


# Anyone may request these for any email. Only the job looks up whether an account has the email.
class SendAccountExists(EmailJob):
    email: str


class SendEmailVerification(EmailJob):
    email: str


class SendPasswordRecovery(EmailJob):
    email: str


class SendSecurityAlert(EmailJob):
    alert_id: UUID


class SendAccountDeleted(EmailJob):
    email: str
    by_user: bool = False


class SendPersonalData(EmailJob):
    user_id: UUID
    email: str


class SendTestEmail(EmailJob):
    email: str


class EarlierNotice(EmailJob):
    """A notice that only earlier releases enqueue. Some may still wait for the mail server."""

    user_id: UUID


class SendPasswordChanged(EarlierNotice): ...


class SendSecondFactorChanged(EarlierNotice):
    change: Literal["set_up", "removed", "recovery_codes_renewed", "recovery_code_used"]


class SendIdentityLinked(EarlierNotice):
    provider: str


class SendEmailChangeNotice(EarlierNotice):
    email: str


class ExportPersonalData(Job, queue=BASE, max_tries=5, timeout=300):
    user_id: UUID


class BuildSignupReport(Job, queue=BASE, max_tries=3, timeout=300):
    days: Annotated[int, Field(ge=1, le=366)] = 30


class ChangeDeadLetters(Job, queue=BASE, max_tries=3, timeout=3_600):
    """Retries or discards all dead letters that match. None matches all."""

    action: Literal["retry", "discard"]
    until: datetime
    in_queue: str | None = None
    name: str | None = None
    error_class: str | None = None
    since: datetime | None = None
    request_id: str | None = None
    arguments: dict[str, str] = Field(default_factory=dict)


class DeleteExpired(Job, queue=BASE, max_tries=3, timeout=600):
    """Deletes expired rows, accounts that are due, and old events of the audit trail."""
