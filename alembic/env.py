"""Runs migrations: one migrator at a time, and never queueing the service behind a lock."""

import asyncio

import structlog
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings, load_settings
from app.core.database import connect, create_missing_database
from app.core.exceptions import DatabaseMissing, DatabaseUnavailable
from app.core.logging import configure_logging
from app.models import Base

MIGRATORS = 7_306_086_935
"""The advisory lock's number; any, as long as nothing else in the database uses it."""

LOCK_TIMEOUT = "2s"
"""A migration that waits for a table lock makes every later query of that table wait as well."""

ATTEMPTS = 15
LOCK_NOT_AVAILABLE = "55P03"

log = structlog.stdlib.get_logger("alembic")


async def run_migrations_online(settings: Settings) -> None:
    try:
        await migrate(settings)
    except DatabaseMissing:
        if settings.environment == "production":
            raise
        await create_missing_database(settings)
        await migrate(settings)


async def migrate(settings: Settings) -> None:
    engine = create_async_engine(
        settings.database_url,
        poolclass=NullPool,
        connect_args={
            "async_creator_fn": connect,
            "timeout": settings.database_connect_timeout,
            "server_settings": {"application_name": "alembic"},
        },
    )
    async with engine.connect() as connection:
        # Held by the session: it goes with the connection, whatever happens.
        await connection.execute(text(f"SELECT pg_advisory_lock({MIGRATORS})"))
        await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        await connection.commit()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await connection.run_sync(run_migrations)
            except DBAPIError as error:
                sqlstate = getattr(error.orig, "sqlstate", None)
                if sqlstate != LOCK_NOT_AVAILABLE or attempt == ATTEMPTS:
                    raise
                log.warning("migration.waits_for_a_lock", attempt=attempt, of=ATTEMPTS)
                await connection.rollback()
                await asyncio.sleep(1)
            else:
                return


def run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_offline(settings: Settings) -> None:
    context.configure(url=settings.database_url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    settings = context.config.attributes.get("settings")
    if settings is None:
        settings = load_settings()
        configure_logging(settings)
    if context.is_offline_mode():
        run_migrations_offline(settings)
        return
    try:
        asyncio.run(run_migrations_online(settings))
    except DatabaseUnavailable as error:
        raise CommandError(error.cause) from None


main()
