"""The database: opens and disposes its engine, and creates the session factory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from sqlalchemy import MetaData, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.core.config import Settings
from app.core.exceptions import DatabaseReadOnly, DatabaseUnavailable
from app.core.postgres.connector import DRIVER_URL, Connector
from app.core.postgres.driver import Connections, fetch_from, fetch_in_transactions_of
from app.core.postgres.failures import repeat_outdated_statements, report_transient_failures
from app.core.postgres.liveness import replace_dead_connections
from app.core.postgres.pooler import NOTHING_PREPARED, set_in_each_transaction
from app.core.postgres.reader import Fetch, Reader
from app.core.postgres.transaction import SingleStatement, Transaction
from app.core.telemetry.postgres import trace_statements

log = structlog.stdlib.get_logger(__name__)

metadata = MetaData(
    # A migration can only drop a constraint whose name is known.
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SPILL = "SELECT count(*) FROM generate_series(1, 10000)"
"""With little memory, PostgreSQL writes these rows to its disk and removes them at once."""

Sessions = async_sessionmaker[AsyncSession]
Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

DATABASE_ERRORS = (DatabaseUnavailable, SQLAlchemyError, OSError)
"""The errors of a statement that the server or the connection causes."""


class Database:
    """An engine, the sessions for its transactions, and the reader beside them.

    `fetch` runs one statement on the driver, which commits by itself. `connect` opens a connection
    for reads, best without BEGIN and COMMIT around them. Transactions begin on `connections`, or
    with their session where there are none.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        fetch: Fetch,
        connect: Connect,
        sessions: Sessions | None = None,
        connections: Connections | None = None,
    ) -> None:
        self.engine = engine
        self.fetch = fetch
        self.reader = Reader(fetch)
        self.connect = connect
        self.sessions = sessions or async_sessionmaker(engine, expire_on_commit=False)
        self._connections = connections

    def transaction(self) -> Transaction:
        return Transaction(self.sessions, self._connections)

    def single_statement(self) -> Transaction:
        """Return a transaction of one statement, which begins and commits with it."""
        return SingleStatement(self.sessions, self.fetch)

    async def ping(self) -> None:
        """Run a statement. Raises DatabaseUnavailable or SQLAlchemyError if it fails."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def check_writable(self) -> None:
        """Raise DatabaseReadOnly on a standby, and DatabaseFull if the disk is full.

        Raises the errors of `ping`, too.
        """
        async with self.engine.begin() as connection:
            if await connection.scalar(text("SHOW transaction_read_only")) == "on":
                raise DatabaseReadOnly(
                    "the server accepts no writes: it is a standby, or read-only"
                )
            await connection.execute(text("SET LOCAL work_mem = '64kB'"))
            await connection.execute(text(SPILL))


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open an engine. It connects at its first use."""
    engine = create_engine(settings)
    log.debug("database.opened")
    try:
        yield _database_of(engine, pooled=settings.uses_transaction_pooler)
    finally:
        await engine.dispose()
        log.debug("database.closed")


def create_engine(settings: Settings) -> AsyncEngine:
    """Create an engine with timeouts for the pool, locks, statements, and the connection.

    Statements raise DatabaseUnavailable for transient failures. Connecting raises DatabaseMissing
    if the database does not exist.
    """
    timeouts = {
        "statement_timeout": _milliseconds(settings.database_statement_timeout),
        "lock_timeout": _milliseconds(settings.database_lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(
            settings.database_idle_in_transaction_timeout
        ),
    }
    pooled = settings.uses_transaction_pooler
    connector = Connector(
        settings,
        {} if pooled else timeouts,
        command_timeout=settings.database_command_timeout,
    )
    engine = create_async_engine(
        DRIVER_URL,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout,
        hide_parameters=True,  # errors are logged, and a parameter may be a secret
        connect_args={"async_creator_fn": connector, **(NOTHING_PREPARED if pooled else {})},
    )
    replace_dead_connections(engine)
    report_transient_failures(engine)
    if settings.traces:
        trace_statements(engine)
    if pooled:
        set_in_each_transaction(engine, timeouts)
    else:
        repeat_outdated_statements(engine)
    return engine


def _database_of(engine: AsyncEngine, *, pooled: bool) -> Database:
    if pooled:  # SQLAlchemy begins each transaction with the timeouts.
        return Database(engine, fetch_in_transactions_of(engine), engine.connect)
    autocommitting = engine.execution_options(isolation_level="AUTOCOMMIT")
    connections = Connections(engine)
    return Database(
        engine, fetch_from(connections), autocommitting.connect, connections=connections
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
