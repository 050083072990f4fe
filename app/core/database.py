"""The database: its engine and session factory, opened and disposed in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import asyncpg
import structlog
from sqlalchemy import MetaData, make_url, text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.core.config import Settings
from app.core.exceptions import DatabaseMissing, DatabaseUnavailable

log = structlog.stdlib.get_logger(__name__)

metadata = MetaData(
    # Named constraints, so that every migration can find them again.
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

CREATORS = 1_131_373_391
"""The number of an advisory lock; any, as long as nothing else on the server uses it."""

Sessions = async_sessionmaker[AsyncSession]


class Database:
    """An engine and the sessions that it serves."""

    def __init__(self, engine: AsyncEngine, sessions: Sessions | None = None) -> None:
        self.engine = engine
        self.sessions = sessions or async_sessionmaker(engine, expire_on_commit=False)

    async def ping(self) -> None:
        """Ask for a sign of life. Raises DatabaseUnavailable or SQLAlchemyError when none comes."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Hold an engine. Connections are made at first use."""
    engine = create_engine(settings)
    log.debug("database.opened")
    try:
        yield Database(engine)
    finally:
        await engine.dispose()
        log.debug("database.closed")


def create_engine(settings: Settings) -> AsyncEngine:
    """Build an engine on which no call can wait for ever: on the pool, a lock, a query, a server.

    Its connections raise DatabaseUnavailable while the server does not answer or refuses the
    login, DatabaseMissing when the database does not exist.
    """
    return create_async_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout,
        pool_pre_ping=True,
        hide_parameters=True,  # an error is logged; the row that caused it may hold a secret
        connect_args={
            "async_creator_fn": connect,
            "timeout": settings.database_connect_timeout,
            "command_timeout": settings.database_command_timeout,
            "server_settings": {
                "application_name": "fastapi-boilerplate",
                "statement_timeout": _milliseconds(settings.database_statement_timeout),
                "lock_timeout": _milliseconds(settings.database_lock_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(
                    settings.database_idle_in_transaction_timeout
                ),
            },
        },
    )


async def connect(  # noqa: PLR0913  asyncpg's own options
    *,
    timeout: float,  # noqa: ASYNC109  asyncpg's own option
    server_settings: dict[str, str],
    command_timeout: float | None = None,
    host: str = "localhost",
    port: int = 5432,
    user: str | None = None,
    password: str | None = None,
    database: str | None = None,
    ssl: Literal["disable", "prefer", "allow", "require", "verify-ca", "verify-full"] = "prefer",
) -> asyncpg.Connection:
    """Connect as asyncpg does, but fail in words that name the server and the cure."""
    where = f"{host}:{port}"
    try:
        return await asyncpg.connect(
            host=host,
            port=port,
            user=user,
            password=password,
            database=database,
            ssl=ssl,
            timeout=timeout,
            command_timeout=command_timeout,
            server_settings=server_settings,
        )
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        reason = str(error) or type(error).__name__
        raise DatabaseUnavailable(
            f"PostgreSQL at {where} does not answer ({reason}). "
            "Start it (bin/dev starts one for you) or correct DATABASE_URL"
        ) from error
    except asyncpg.InvalidCatalogNameError:
        raise DatabaseMissing(database or "", where) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL at {where} refuses the login ({error}). Correct DATABASE_URL"
        ) from error


async def create_missing_database(settings: Settings) -> None:
    """Create the database of DATABASE_URL where it does not exist yet; for development."""
    url = make_url(settings.database_url)
    server = create_async_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        async with server.connect() as connection:
            # Held until the connection closes: two processes that start together take turns.
            await connection.execute(text(f"SELECT pg_advisory_lock({CREATORS})"))
            exists = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if await connection.scalar(exists, {"name": url.database}) is None:
                name = connection.dialect.identifier_preparer.quote(url.database or "")
                await connection.execute(text(f"CREATE DATABASE {name}"))
    finally:
        await server.dispose()


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
