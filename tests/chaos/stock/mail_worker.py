"""arq as its manual shows it, with a job that sends a mail."""

from typing import Any

from arq.connections import RedisSettings

from app.core.config import load_settings
from app.core.mailer import Mailer
from app.core.queue import EMAIL
from app.core.redis import queue_url
from app.models import User
from app.services.mails import welcome_mail


async def send_welcome_email(ctx: dict[Any, Any], email: str) -> None:
    settings = load_settings()
    mail = welcome_mail(User(email=email, full_name="Ada"), settings, "token")
    await Mailer(settings).send(mail, key=ctx["job_id"])


class WorkerSettings:
    functions = (send_welcome_email,)
    redis_settings = RedisSettings.from_dsn(queue_url(EMAIL, load_settings()))
