"""The jobs: shapes that cross Redis. A class is a job's name, its fields are its arguments.

No job holds the token of a link: the handler makes it, and it stands in the mail alone.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.mailer import MailRefused
from app.core.queue import BASE, EMAIL, Job

FactorChange = Literal["set_up", "removed", "recovery_codes_renewed", "recovery_code_used"]


class EmailJob(Job, queue=EMAIL):
    """A job that sends one mail."""

    def __init_subclass__(cls) -> None:
        # Eight tries last half an hour on average: longer than most restarts of a mail server.
        super().__init_subclass__(
            queue=EMAIL, max_tries=8, timeout=30, backoff=30, final=(MailRefused,)
        )


class SendWelcomeEmail(EmailJob):
    user_id: UUID


class SendNewAccount(EmailJob):
    user_id: UUID


# What anybody may ask for takes an address: the request does not know whether it has an account.
class SendAccountExists(EmailJob):
    email: str


class SendEmailVerification(EmailJob):
    email: str


class SendPasswordRecovery(EmailJob):
    email: str


class SendPasswordChanged(EmailJob):
    user_id: UUID


class SendSecondFactorChanged(EmailJob):
    user_id: UUID
    change: FactorChange


class SendIdentityLinked(EmailJob):
    user_id: UUID
    provider: str


class SendEmailChange(EmailJob):
    user_id: UUID


class SendEmailChangeNotice(EmailJob):
    """Goes to the old address, also when the new one has been confirmed meanwhile."""

    user_id: UUID
    email: str


class SendTestEmail(EmailJob):
    email: str


class BuildSignupReport(Job, queue=BASE, max_tries=3, timeout=300):
    days: Annotated[int, Field(ge=1, le=366)] = 30


class DeleteExpired(Job, queue=BASE, max_tries=3, timeout=60):
    """Sessions and links that have run out."""
