"""The jobs: shapes that cross Redis. A class is a job's name, its fields are its arguments."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.mailer import MailRefused
from app.core.queue import BASE, EMAIL, Job


# Eight tries last half an hour on average: longer than most restarts of a mail server.
class SendWelcomeEmail(Job, queue=EMAIL, max_tries=8, timeout=30, backoff=30, final=(MailRefused,)):
    user_id: UUID


class BuildSignupReport(Job, queue=BASE, max_tries=3, timeout=300):
    days: Annotated[int, Field(ge=1, le=366)] = 30
