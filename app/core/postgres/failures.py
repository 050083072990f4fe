"""Transient failures of PostgreSQL: the state of the server causes them, not the statement."""

import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import (
    DBAPICursor,
    ExecutionContext,
    _DBAPISingleExecuteParams,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.exceptions import DatabaseFull, DatabaseReadOnly, DatabaseUnavailable
from app.core.postgres.connector import POOLER_CURE, POOLER_SYMPTOMS

READ_ONLY = "25006"
TRANSIENT_CLASSES = ("08", "53", "57P")
"""The classes of connection errors, insufficient resources, and operator intervention."""

OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""A table or type has changed since the statement was prepared."""


def report_transient_failures(engine: AsyncEngine) -> None:
    """Raise DatabaseUnavailable for transient failures.

    If the server has become read-only or does not respond, all connections of the pool are
    replaced, because they cannot recover.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, DatabaseUnavailable):
            return  # the message of the connector is better
        if isinstance(error, TimeoutError) or sqlstate_of(error) == READ_ONLY:
            context.is_disconnect = context.invalidate_pool_on_disconnect = True
        if failure := transient_failure(error):
            raise failure from error


def transient_failure(error: BaseException) -> DatabaseUnavailable | None:
    """Return the exception for a transient failure, or None for any other failure.

    `error` is an exception of the driver or of SQLAlchemy.
    """
    cause, sqlstate = str(error), sqlstate_of(error) or ""
    adapted = isinstance(error, AsyncAdapt_asyncpg_dbapi.Error)
    match error.__cause__ if adapted else error:
        case asyncpg.ReadOnlySQLTransactionError():
            return DatabaseReadOnly(cause)
        case asyncpg.DiskFullError():
            return DatabaseFull(cause)
        case driver_error if isinstance(driver_error, POOLER_SYMPTOMS):
            return DatabaseUnavailable(f"{cause}. {POOLER_CURE}")
        case driver_error if isinstance(driver_error, OUTDATED):
            return DatabaseUnavailable(f"a table has changed: {cause}")
        case _ if sqlstate.startswith(TRANSIENT_CLASSES):
            return DatabaseUnavailable(cause)
        case _:
            return None


def sqlstate_of(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of a failure, or None if it has none."""
    return getattr(error, "sqlstate", None)


def repeat_outdated_statements(engine: AsyncEngine) -> None:
    """Repeat a transaction's first statement if a table has changed since it was prepared.

    This is safe, because the transaction has done nothing else. A later statement fails with
    DatabaseUnavailable, and the next transaction prepares it again.
    """

    @event.listens_for(engine.sync_engine, "do_execute")
    def execute(
        cursor: DBAPICursor,
        statement: str,
        parameters: _DBAPISingleExecuteParams,
        context: ExecutionContext,
    ) -> bool:
        driver = context.root_connection.connection.driver_connection
        assert isinstance(driver, asyncpg.Connection)
        if driver.is_in_transaction():
            return False
        try:
            cursor.execute(statement, parameters)
        except AsyncAdapt_asyncpg_dbapi.Error as error:
            if not isinstance(error.__cause__, OUTDATED):
                raise
            _restart_transaction(context, error)
            cursor.execute(statement, parameters)
        return True


def _restart_transaction(context: ExecutionContext, error: BaseException) -> None:
    """Begin the transaction again, and discard the prepared statements of SQLAlchemy."""
    connection = context.root_connection.connection.dbapi_connection
    assert connection is not None
    connection.rollback()
    context.handle_dbapi_exception(error)
    context.pre_exec()
