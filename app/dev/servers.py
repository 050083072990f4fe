"""The servers that bin/dev brings along, unless the settings name others."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from app.core.config import Settings
from app.dev.folder import Folder
from app.dev.mail import Mail
from app.dev.mail_catcher import MailCatcher
from app.dev.mail_inbox import inbox
from app.dev.postgres import postgres
from app.dev.valkey import valkey

DATABASE = "fastapi_db"
"""The migrations create it."""


@dataclass(frozen=True)
class Provided:
    """Something that the application needs: variables for its processes, an address for people."""

    title: str
    address: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnServers:
    """Our PostgreSQL, Valkey and mail catcher, with their data in one folder; `held` stops them."""

    held: ExitStack
    data: Path
    inbox_port: int
    on_mail: Callable[[Mail], None]

    def start(self, settings: Settings) -> list[Provided]:
        """Start, all at once, what the settings do not name. Raises StartError."""
        choices = {
            "database_url": self._postgres,
            "redis_url": self._valkey,
            "smtp_host": self._mail_catcher,
        }
        with ThreadPoolExecutor() as threads:
            pending = {
                setting: threads.submit(start)
                for setting, start in choices.items()
                if setting not in settings.model_fields_set
            }
        return [
            pending[setting].result() if setting in pending else yours(setting)
            for setting in choices
        ]

    def forget_everything(self) -> None:
        """Delete the data, once what a killed predecessor left running on it is gone."""
        for path in (*(self.data / "postgres").glob("*"), self.data / "valkey", self.data / "mail"):
            with Folder(path).held():
                shutil.rmtree(path)

    def _postgres(self) -> Provided:
        server = self.held.enter_context(postgres(self.data / "postgres"))
        url = f"{server.rpartition('/')[0]}/{DATABASE}"
        return Provided("PostgreSQL", url, {"DATABASE_URL": url})

    def _valkey(self) -> Provided:
        url = self.held.enter_context(valkey(self.data / "valkey"))
        return Provided("Valkey (Redis)", url, {"REDIS_URL": url})

    def _mail_catcher(self) -> Provided:
        catcher = self.held.enter_context(MailCatcher(self.data / "mail", self.on_mail))
        page = self.held.enter_context(inbox(catcher, self.inbox_port))
        smtp = {"SMTP_HOST": catcher.host, "SMTP_PORT": str(catcher.port), "SMTP_TLS": "none"}
        return Provided("Caught mails", page, smtp)


def yours(setting: str) -> Provided:
    """Say that the developer's own server is used; its address may hold a password."""
    titles = {"database_url": "PostgreSQL", "redis_url": "Redis", "smtp_host": "Mails"}
    return Provided(titles[setting], f"yours, from {setting.upper()}")
