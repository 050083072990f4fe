"""A worker as in the manual of arq, with a job that sends an email."""

from typing import Any

from arq.connections import RedisSettings

from app.core.config import load_settings
from app.core.mailer import EmailMessage, Mailer
from app.core.queue import EMAIL
from app.core.redis import queue_address


async def send_welcome_email(ctx: dict[Any, Any], email: str) -> None:
    welcome = EmailMessage(email, "Welcome", text="Hello Ada", html="<p>Hello Ada</p>")
    await Mailer(load_settings()).send(welcome, key=ctx["job_id"])


class WorkerSettings:
    functions = (send_welcome_email,)
    redis_settings = RedisSettings.from_dsn(queue_address(EMAIL, load_settings()).url)
