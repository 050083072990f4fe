"""The servers of a test run, and their settings."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import Settings
from app.core.postgres.provisioning import create_roles
from app.core.queue import QUEUES
from tests.support.limits import limits

ROOT = Path(__file__).parents[2]
TEMPLATE_DATABASE = "template_of_tests"
OWNER, SERVICE = "owner", "service"
PASSWORD = "known-to-this-run-only"
REDIS_DATABASES = 1024
REDIS_DATABASES_PER_PROCESS = 16


PATIENT: dict[str, object] = {
    "database_pool_timeout": 300,
    "database_connect_timeout": 300,
    "database_command_timeout": 330,
    "database_statement_timeout": 300,
    "database_lock_timeout": 300,
    "database_idle_in_transaction_timeout": 300,
    "redis_timeout": 30,
    "smtp_timeout": 300,
    "oidc_timeout": 300,
    "body_timeout": 300,
    "health_timeout": 300,
    "worker_grace_period": 60,
}
"""Time limits of the service that even a very busy machine meets."""


@dataclass(frozen=True)
class Servers:
    """The URLs of the servers without a database. The user of PostgreSQL is a superuser."""

    postgres: str
    redis: str

    def url_of(self, role: str, database: str) -> str:
        """Return the URL of a database for a role of ours."""
        url = make_url(self.postgres).set(username=role, password=PASSWORD, database=database)
        return url.render_as_string(hide_password=False)


def settings_for(servers: Servers, database: str, number: int, **changes: object) -> Settings:
    """Build settings that ignore the environment; `number` selects the Redis databases.

    The service has the same role as in production, so that a missing privilege fails a test.
    """
    first = number * REDIS_DATABASES_PER_PROCESS
    values: dict[str, object] = {
        "environment": "test",
        "database_url": servers.url_of(SERVICE, database),
        "database_owner_url": servers.url_of(OWNER, database),
        "redis_url": f"{servers.redis}/{first}",
        "queue_redis_urls": {q.name: f"{servers.redis}/{first + q.redis_db}" for q in QUEUES},
        "public_url": "https://service.example.com",
        "worker_grace_period": 5,
    } | limits()
    return Settings(_env_file=None, **values | changes)  # type: ignore[arg-type]


async def build_template(servers: Servers) -> None:
    """Create the roles as an operator does, and the template database."""
    await create_roles(
        settings_for(servers, TEMPLATE_DATABASE, 0, database_admin_url=servers.postgres)
    )
    await execute(servers.postgres, f"ALTER ROLE {OWNER} CREATEDB")  # some tests start without one
    settings = settings_for(servers, TEMPLATE_DATABASE, 0)
    await asyncio.to_thread(command.upgrade, alembic_config(settings), "head")


async def copy_template(servers: Servers, name: str) -> None:
    """Create a database with all tables."""
    await execute(
        servers.postgres,
        f"CREATE DATABASE {name} TEMPLATE {TEMPLATE_DATABASE} OWNER {OWNER}",
        # A copy has the rights on the tables, and not those on the database.
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO {SERVICE}",
    )


def alembic_config(settings: Settings) -> Config:
    # Alembic would print to the stream that was the standard output when it was imported.
    config = Config(ROOT / "alembic.ini", stdout=sys.stdout)
    config.attributes["settings"] = settings
    return config


async def execute(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()
