"""Statements that the driver runs on a connection of SQLAlchemy's pool.

Reads and units of work share one pool, its limits, and its checks of connections. Two parts depend
on internals of SQLAlchemy, because no public call does the same: `Pool._invalidate`, which replaces
all connections that are as old as a lost one, and the functions that begin and commit a transaction
without a statement of SQLAlchemy's own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

import asyncpg
from sqlalchemy import PoolProxiedConnection, QueuePool
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app.core.exceptions import DatabaseConnectionLost
from app.core.postgres.failures import OUTDATED, READ_ONLY, sqlstate_of, transient_failure
from app.core.postgres.liveness import driver_of, watch_of
from app.core.postgres.reader import Fetch

Result = TypeVar("Result")
Run = Callable[[asyncpg.Connection], Awaitable[Result]]
InsertRows = Callable[[str, Sequence[Sequence[object]]], Awaitable[None]]
"""Inserts rows with one statement, in a transaction."""

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

LOST = {"08003", "08006", "57P01", "57P02"}
"""The connection does not exist or failed, or an operator or a crash has ended it."""


def fetch_from(connections: "Connections") -> Fetch:
    """Fetch on any connection of the pool, without BEGIN and COMMIT.

    At most as many reads run as the pool keeps connections. The others wait, first in, first out.
    In the pool's own queue, a new read could overtake them.
    """
    permits, timeout = asyncio.Semaphore(connections.pool.size()), connections.pool.timeout()

    async def fetch(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        if permits.locked():
            async with asyncio.timeout(timeout):
                await permits.acquire()
        else:
            await permits.acquire()
        try:
            return await fetch_now(text, arguments)
        finally:
            permits.release()

    async def fetch_now(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        proxied = await connections.acquire()
        try:
            running = driver_of(proxied).fetch(text, *arguments)
            return await connections.finish(proxied, text, running)
        finally:
            await connections.release(proxied)

    return fetch


def fetch_in_transactions_of(engine: AsyncEngine) -> Fetch:
    """Fetch in a transaction each, because only its timeouts hold behind a pooler."""

    async def fetch(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        async with engine.begin() as connection:
            return await fetch_on(connection, text, arguments)

    return fetch


async def fetch_on(
    connection: AsyncConnection, text: str, arguments: Sequence[object]
) -> Sequence[asyncpg.Record]:
    """Fetch on one connection, in its transaction."""
    return await run_on(connection, text, lambda driver: driver.fetch(text, *arguments))


async def insert_on(
    connection: AsyncConnection, text: str, rows: Sequence[Sequence[object]]
) -> None:
    """Insert rows on one connection, in its transaction, in one round trip."""
    await run_on(connection, text, lambda driver: driver.executemany(text, rows))


async def run_on(connection: AsyncConnection, text: str, run: Run[Result]) -> Result:
    """Run a statement on one connection, in its transaction."""
    proxied = await connection.get_raw_connection()
    try:
        return await Connections(connection.engine).run(proxied, text, run)
    except BaseException as error:
        if not proxied.is_valid:
            await connection.invalidate(error)
        raise


class Connections:
    """The connections of an engine's pool, for statements that the driver runs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._watch = watch_of(engine)

    @property
    def pool(self) -> QueuePool:
        pool = self.engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        return pool

    async def acquire(self) -> PoolProxiedConnection:
        """Acquire a connection. Only one to be opened, asked, or waited for needs a greenlet."""
        if self._watch.next_is_ready:
            try:
                return self.pool.connect()
            except MissingGreenlet:
                pass
        return await greenlet_spawn(self.pool.connect)

    async def release(self, proxied: PoolProxiedConnection, *, rolls_back: bool = False) -> None:
        """Release a connection. Only one to be closed or rolled back needs a greenlet."""
        if self._watch.has_room and not rolls_back:
            proxied.close()
        else:
            await greenlet_spawn(proxied.close)

    async def run(self, proxied: PoolProxiedConnection, text: str, run: Run[Result]) -> Result:
        """Run a statement in the transaction of a connection, which begins with its first one."""
        raise_if_lost(proxied)
        return await self.finish(proxied, text, _run_in_transaction(proxied, run))

    async def commit(self, proxied: PoolProxiedConnection) -> None:
        """Commit what `run` has begun."""
        raise_if_lost(proxied)
        await self.finish(proxied, "COMMIT", _commit(proxied))

    async def finish(
        self, proxied: PoolProxiedConnection, text: str, running: Awaitable[Result]
    ) -> Result:
        """Await a statement. Raise what SQLAlchemy and our listeners would make of a failure."""
        try:
            return await running
        except FAILURES as error:
            self._replace_if_dead(proxied, error)
            raise _failure_of(error, text, lost=not proxied.is_valid) from error
        except BaseException as error:
            # A canceled statement may still run: nothing else must wait for it.
            proxied.invalidate(error)
            raise

    def _replace_if_dead(self, proxied: PoolProxiedConnection, error: Exception) -> None:
        """Replace a connection that has ended, is silent, or cannot write, and all as old as it."""
        if isinstance(error, TimeoutError):
            self._watch.distrust()
        elif sqlstate_of(error) != READ_ONLY and not has_lost(driver_of(proxied), error):
            return
        self.pool._invalidate(proxied, error)  # noqa: SLF001


def raise_if_lost(proxied: PoolProxiedConnection) -> None:
    if not proxied.is_valid:
        raise DatabaseConnectionLost("The connection of this transaction has ended")


def has_lost(driver: asyncpg.Connection, error: Exception) -> bool:
    """Return whether the connection has ended with this failure."""
    return driver.is_closed() or sqlstate_of(error) in LOST


def _failure_of(error: Exception, text: str, *, lost: bool) -> Exception:
    if isinstance(error, TimeoutError):
        return error
    if lost or isinstance(error, OUTDATED):
        return DatabaseConnectionLost(str(error))
    violated = isinstance(error, asyncpg.IntegrityConstraintViolationError)
    kind = IntegrityError if violated else DBAPIError
    return transient_failure(error) or kind(text, None, error, hide_parameters=True)


async def _run_in_transaction(proxied: PoolProxiedConnection, run: Run[Result]) -> Result:
    """Begin the transaction with its first statement, as SQLAlchemy does.

    If a table has changed since that statement was prepared, repeat it: nothing has happened yet.
    """
    driver = driver_of(proxied)
    is_first = not driver.is_in_transaction()
    if is_first:
        await _begin(proxied)
    try:
        return await run(driver)
    except OUTDATED:
        if not is_first:
            raise
    await greenlet_spawn(_adapted(proxied).rollback)
    await _begin(proxied)
    return await run(driver)


async def _commit(proxied: PoolProxiedConnection) -> None:
    adapted = _adapted(proxied)
    if (transaction := adapted._transaction) is not None:  # noqa: SLF001
        await adapted._call_and_discard(transaction.commit)  # noqa: SLF001


async def _begin(proxied: PoolProxiedConnection) -> None:
    try:
        await _adapted(proxied)._start_transaction()  # type: ignore[no-untyped-call]  # noqa: SLF001
    except AsyncAdapt_asyncpg_dbapi.Error as error:
        raise error.__cause__ or error from None


def _adapted(proxied: PoolProxiedConnection) -> AsyncAdapt_asyncpg_connection:
    return cast("AsyncAdapt_asyncpg_connection", proxied.dbapi_connection)
