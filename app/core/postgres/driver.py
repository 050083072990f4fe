"""Statements that the driver runs on a connection of SQLAlchemy's pool.

Reads and units of work share one pool, its limits, and its checks of connections. Everything here
that depends on the internals of SQLAlchemy is `Pool._invalidate` and `_start_transaction`, which no
public call replaces: all connections that are as old as a lost one are replaced before they are
used, and a transaction begins without a statement of SQLAlchemy's own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from typing import TypeVar, cast

import asyncpg
from sqlalchemy import Pool, PoolProxiedConnection, QueuePool
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app.core.exceptions import DatabaseConnectionLost
from app.core.postgres.failures import OUTDATED, READ_ONLY, passing_failure, sqlstate_of
from app.core.postgres.liveness import Watch, watch_of
from app.core.postgres.reader import Fetch

Result = TypeVar("Result")

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

LOST = {"08003", "08006", "57P01", "57P02"}
"""The connection does not exist or failed, or an operator or a crash has ended it."""


def fetch_from(engine: AsyncEngine) -> Fetch:
    """Fetch on any connection of an engine's pool, without BEGIN and COMMIT.

    At most as many reads are under way as the pool keeps connections; the others wait in line. In
    the pool's own line, newcomers overtake those who wait.
    """
    watch, pool = watch_of(engine), _pool_of(engine)
    turns, patience = asyncio.Semaphore(pool.size()), pool.timeout()

    async def fetch(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        async with asyncio.timeout(patience) if turns.locked() else nullcontext():
            await turns.acquire()
        try:
            return await fetch_in_turn(text, arguments)
        finally:
            turns.release()

    async def fetch_in_turn(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        pool = _pool_of(engine)
        proxied = await _connect(pool, watch)
        try:
            return await driver_of(proxied).fetch(text, *arguments)
        except FAILURES as error:
            _leave_if_dead(pool, watch, proxied, error)
            raise failure_of(error, text, lost=not proxied.is_valid) from error
        except BaseException as error:
            # A canceled statement may still run: nothing else must wait for it.
            proxied.invalidate(error)
            raise
        finally:
            await _release(pool, proxied)

    return fetch


def fetch_in_transactions_of(engine: AsyncEngine) -> Fetch:
    """Fetch in a transaction each: behind a pooler, only that keeps the timeouts."""

    async def fetch(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        async with engine.begin() as connection:
            return await fetch_on(connection, text, arguments)

    return fetch


async def fetch_on(
    connection: AsyncConnection, text: str, arguments: Sequence[object]
) -> Sequence[asyncpg.Record]:
    """Fetch on one connection, in its transaction."""
    return await _run_on(connection, text, lambda driver: driver.fetch(text, *arguments))


async def insert_on(
    connection: AsyncConnection, text: str, rows: Sequence[Sequence[object]]
) -> None:
    """Insert rows on one connection, in its transaction, in one round trip."""
    await _run_on(connection, text, lambda driver: driver.executemany(text, rows))


async def _run_on(
    connection: AsyncConnection,
    text: str,
    run: Callable[[asyncpg.Connection], Awaitable[Result]],
) -> Result:
    proxied, engine = await connection.get_raw_connection(), connection.engine
    try:
        return await _run_in_transaction(proxied, run)
    except FAILURES as error:
        _leave_if_dead(_pool_of(engine), watch_of(engine), proxied, error)
        lost = not proxied.is_valid
        if lost:
            await connection.invalidate(error)
        raise failure_of(error, text, lost=lost) from error
    except BaseException as error:
        # A canceled statement may still run: nothing else must wait for it.
        await connection.invalidate(error)
        raise


def driver_of(proxied: PoolProxiedConnection) -> asyncpg.Connection:
    driver = proxied.driver_connection
    assert isinstance(driver, asyncpg.Connection)
    return driver


def has_lost(driver: asyncpg.Connection, error: Exception) -> bool:
    """Return whether the connection has ended with this failure."""
    return driver.is_closed() or sqlstate_of(error) in LOST


def failure_of(error: Exception, text: str, *, lost: bool) -> Exception:
    """Return what SQLAlchemy and our listeners would make of a failure of the driver."""
    if isinstance(error, TimeoutError):
        return error
    if lost or isinstance(error, OUTDATED):
        return DatabaseConnectionLost(str(error))
    violated = isinstance(error, asyncpg.IntegrityConstraintViolationError)
    kind = IntegrityError if violated else DBAPIError
    return passing_failure(error) or kind(text, None, error, hide_parameters=True)


async def _run_in_transaction(
    proxied: PoolProxiedConnection, run: Callable[[asyncpg.Connection], Awaitable[Result]]
) -> Result:
    """Begin the transaction with its first statement, as SQLAlchemy does.

    That one is repeated where a table has changed since it was prepared: nothing has happened yet.
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


async def _begin(proxied: PoolProxiedConnection) -> None:
    try:
        await _adapted(proxied)._start_transaction()  # type: ignore[no-untyped-call]  # noqa: SLF001
    except AsyncAdapt_asyncpg_dbapi.Error as error:
        raise error.__cause__ or error from None


def _adapted(proxied: PoolProxiedConnection) -> AsyncAdapt_asyncpg_connection:
    return cast("AsyncAdapt_asyncpg_connection", proxied.dbapi_connection)


def _pool_of(engine: AsyncEngine) -> QueuePool:
    pool = engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    return pool


async def _connect(pool: Pool, watch: Watch) -> PoolProxiedConnection:
    """Take a connection. Only one that has to be opened, asked, or waited for needs a greenlet."""
    if watch.next_is_ready:
        with suppress(MissingGreenlet):
            return pool.connect()
    return await greenlet_spawn(pool.connect)


async def _release(pool: QueuePool, proxied: PoolProxiedConnection) -> None:
    if pool.checkedin() < pool.size():
        proxied.close()
    else:
        await greenlet_spawn(proxied.close)


def _leave_if_dead(
    pool: Pool, watch: Watch, proxied: PoolProxiedConnection, error: Exception
) -> None:
    """Leave a connection that has ended, does not answer, or cannot write, and all as old as it."""
    if isinstance(error, TimeoutError):
        watch.distrust()
    elif sqlstate_of(error) != READ_ONLY and not has_lost(driver_of(proxied), error):
        return
    pool._invalidate(proxied, error)  # noqa: SLF001
