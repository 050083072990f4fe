"""Run migrations, one process at a time, without making the service wait for a table lock."""

import asyncio
import re

import structlog
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings, load_settings
from app.core.exceptions import DatabaseMissing, DatabaseUnavailable
from app.core.logging import configure_logging
from app.core.postgres.connector import DRIVER_URL, Connector
from app.core.postgres.privileges import grant_privileges, role_exists
from app.core.postgres.provisioning import create_missing_database
from app.core.urls.postgres import PostgresAddress
from app.models import Base

MIGRATORS = 7_306_086_935
"""The number of the advisory lock, which no other code may use."""

LOCK_TIMEOUT = "2s"
"""Short, because all later queries of a table wait behind a migration that waits for its lock."""

NO_TIMEOUT = "0"
"""For statements with CONCURRENTLY. No query waits behind them, and an interrupted one leaves an
index that PostgreSQL does not use."""

BEHIND_A_POOLER = (
    "Migrations hold a lock for longer than one transaction, which a transaction pooler loses. Run "
    "them with DATABASE_OWNER_URL set to the server itself"
)

ATTEMPTS = 15
LOCK_POLL_INTERVAL = 0.2
LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"

CONCURRENTLY = re.compile(r"\s*(?:CREATE|DROP|REINDEX)\b.*?\bCONCURRENTLY\b", re.IGNORECASE)
BUILT_IF_MISSING = re.compile(
    r"\s*CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (?P<index>\S+)", re.IGNORECASE
)
IS_INVALID = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{index}') AND NOT indisvalid"

log = structlog.stdlib.get_logger("alembic")


async def run_migrations_online(settings: Settings) -> None:
    owner = settings.for_owner
    try:
        await migrate(owner, service_role(settings))
    except DatabaseMissing:
        if settings.environment == "production":
            raise
        await create_missing_database(owner)
        await migrate(owner, service_role(settings))


def service_role(settings: Settings) -> str | None:
    """Return the role of the service, or None if the service is the owner."""
    if settings.database_owner_url is None:
        return None
    return PostgresAddress.parse(settings.database_url).user


async def migrate(settings: Settings, service: str | None) -> None:
    connector = Connector(settings, {"application_name": "alembic"}, command_timeout=None)
    engine = create_async_engine(
        DRIVER_URL, poolclass=NullPool, connect_args={"async_creator_fn": connector}
    )
    event.listen(engine.sync_engine, "before_cursor_execute", prepare)
    async with engine.connect() as connection:
        # The session holds the lock, so it ends with the connection.
        await lock_migrations(connection)
        await connection.commit()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await connection.run_sync(run_migrations)
                if service:
                    await grant_to(service, connection)
            except DBAPIError as error:
                sqlstate = getattr(error.orig, "sqlstate", None)
                if sqlstate not in {LOCK_NOT_AVAILABLE, DEADLOCK} or attempt == ATTEMPTS:
                    raise
                log.warning("migration.waits_for_a_lock", attempt=attempt, of=ATTEMPTS)
                await connection.rollback()
                await asyncio.sleep(1)
            else:
                break


async def grant_to(service: str, connection: AsyncConnection) -> None:
    """Grant the service its privileges on the tables that exist now."""
    if await role_exists(connection, service):
        await grant_privileges(connection, service)
        await connection.commit()
    else:
        cure = "Run: python -m app database roles"
        log.warning("migration.service_role_missing", role=service, cure=cure)


async def lock_migrations(connection: AsyncConnection) -> None:
    """Wait until no other process migrates.

    Poll, because CREATE INDEX CONCURRENTLY would wait for the snapshot of a waiting statement.
    """
    lock = text(f"SELECT pg_try_advisory_lock({MIGRATORS})")
    has_waited = False
    while not await connection.scalar(lock):
        if not has_waited:
            log.info("migration.waits_for_another_process")
        has_waited = True
        await connection.rollback()
        await asyncio.sleep(LOCK_POLL_INTERVAL)


def prepare(
    connection: Connection,  # noqa: ARG001  SQLAlchemy passes these
    cursor: DBAPICursor,
    statement: str,
    *_: object,
) -> None:
    """Set the lock timeout of a statement, and let it build an index that an earlier run did not.

    An interrupted build leaves an index that PostgreSQL maintains but never reads, and that
    IF NOT EXISTS would keep.
    """
    if not CONCURRENTLY.match(statement):
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        return
    cursor.execute(f"SET lock_timeout = '{NO_TIMEOUT}'")
    if built := BUILT_IF_MISSING.match(statement):
        cursor.execute(IS_INVALID.format(index=built["index"]))
        if cursor.fetchone():
            log.warning("migration.rebuilds_an_index", index=built["index"])
            cursor.execute(f"DROP INDEX CONCURRENTLY {built['index']}")


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
    if settings.for_owner.uses_transaction_pooler:
        raise CommandError(BEHIND_A_POOLER)
    if context.is_offline_mode():
        run_migrations_offline(settings)
        return
    try:
        asyncio.run(run_migrations_online(settings))
    except DatabaseUnavailable as error:
        raise CommandError(error.cause) from None


main()
