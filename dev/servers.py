"""The servers that bin/dev starts, unless the settings name others."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from app.core.config import Settings
from dev.caught_email import CaughtEmail
from dev.email_inbox import inbox
from dev.folder import Folder
from dev.mail_catcher import MailCatcher
from dev.postgres import postgres
from dev.valkey import valkey

DATABASE = "fastapi_db"
ROLES = {"DATABASE_URL": "service", "DATABASE_OWNER_URL": "owner"}
"""As in production: the service cannot change its tables. `app database roles` creates both."""


@dataclass(frozen=True)
class Provided:
    """A server of the application: the variables for its processes, and an address to print."""

    title: str
    address: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnServers:
    """The PostgreSQL, Valkey, and mail catcher of bin/dev. Closing `held` stops them."""

    held: ExitStack
    data: Path
    inbox_port: int
    on_email: Callable[[CaughtEmail], None]

    def start(self, settings: Settings) -> list[Provided]:
        """Start the servers that the settings do not name, all at once. Raise StartError."""
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
        """Delete the data, after any servers of a killed predecessor have ended."""
        for path in (*(self.data / "postgres").glob("*"), self.data / "valkey", self.data / "mail"):
            with Folder(path).held():
                shutil.rmtree(path)

    def _postgres(self) -> Provided:
        admin = self.held.enter_context(postgres(self.data / "postgres"))
        # The roles share the generated password, because only the developer can read its file.
        place = admin.removeprefix("postgresql://postgres").rpartition("/")[0]
        urls = {name: f"postgresql://{role}{place}/{DATABASE}" for name, role in ROLES.items()}
        variables = urls | {"DATABASE_ADMIN_URL": admin}
        return Provided("PostgreSQL", urls["DATABASE_OWNER_URL"], variables)

    def _valkey(self) -> Provided:
        url = self.held.enter_context(valkey(self.data / "valkey"))
        return Provided("Valkey (Redis)", url, {"REDIS_URL": url})

    def _mail_catcher(self) -> Provided:
        catcher = self.held.enter_context(MailCatcher(self.data / "mail", self.on_email))
        page = self.held.enter_context(inbox(catcher, self.inbox_port))
        smtp = {"SMTP_HOST": catcher.host, "SMTP_PORT": str(catcher.port), "SMTP_TLS": "none"}
        return Provided("Caught emails", page, smtp)


def yours(setting: str) -> Provided:
    """Describe the developer's own server without its address, which may contain a password."""
    titles = {"database_url": "PostgreSQL", "redis_url": "Redis", "smtp_host": "Emails"}
    return Provided(titles[setting], f"yours, from {setting.upper()}")
