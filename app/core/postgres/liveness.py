"""Replaces connections whose server has vanished silently, as behind a router that forgot them."""

import asyncio
import time
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import Engine, PoolProxiedConnection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

REST = 5.0
"""Seconds after which an idle connection is asked whether it still works."""

PATIENCE = 1.0
"""Seconds that it has to answer."""

OPENED, RESTED = "opened at", "rests since"


class DeadConnectionError(InvalidatePoolError):
    """A connection does not answer: those that are as old are not trusted either."""


class Watch:
    """Follows the connections of an engine's pool by the events of the pool."""

    def __init__(self) -> None:
        self._distrusted_until = 0.0
        self._invalidated_at = 0.0
        self._idle: dict[ConnectionPoolEntry, None] = {}
        """In the order in which the pool hands them out."""

    @property
    def next_is_ready(self) -> bool:
        """Return whether the next connection can be used without asking the server first."""
        entry = next(iter(self._idle), None)
        if entry is None or entry.dbapi_connection is None:
            return False
        is_trusted = entry.info[OPENED] > self._invalidated_at
        return is_trusted and not _has_rested(entry) and not _driver_of(entry).is_closed()

    def distrust(self) -> None:
        """Abort the present connections when they close: the server may not answer a farewell."""
        self._distrusted_until = time.monotonic()

    def opened(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[OPENED] = entry.info[RESTED] = time.monotonic()

    def returned(self, _: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info[RESTED] = time.monotonic()
        self._idle[entry] = None

    def taken(
        self, connection: DBAPIConnection, entry: ConnectionPoolEntry, _: PoolProxiedConnection
    ) -> None:
        self._idle.pop(entry, None)
        if _driver_of(entry).is_closed():
            raise DisconnectionError("The server has closed the connection")
        if _has_rested(entry) and not connection.run_async(_answers):
            self.distrust()
            raise DeadConnectionError("The server does not answer on this connection")

    def invalidated(self, *_: object) -> None:
        self._invalidated_at = time.monotonic()

    def closing(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        self._idle.pop(entry, None)
        driver = entry.driver_connection
        if entry.info[OPENED] < self._distrusted_until and isinstance(driver, asyncpg.Connection):
            driver.terminate()

    def failed(self, context: ExceptionContext) -> None:
        if isinstance(context.original_exception, TimeoutError):
            self.distrust()


_watches: WeakKeyDictionary[Engine, Watch] = WeakKeyDictionary()


def watch_of(engine: AsyncEngine) -> Watch:
    return _watches.setdefault(engine.sync_engine, Watch())


def replace_dead_connections(engine: AsyncEngine) -> None:
    """Ask an idle connection before it is used, and replace it when it is silent.

    Then every connection of its age is replaced as well, and without a farewell, for which a
    server that is gone would have to be waited for.
    """
    pool, watch = engine.sync_engine.pool, watch_of(engine)
    event.listen(pool, "connect", watch.opened)
    event.listen(pool, "checkin", watch.returned)
    event.listen(pool, "checkout", watch.taken)
    event.listen(pool, "invalidate", watch.invalidated)
    event.listen(pool, "close", watch.closing)
    event.listen(engine.sync_engine, "handle_error", watch.failed)


def _driver_of(entry: ConnectionPoolEntry) -> asyncpg.Connection:
    driver = entry.driver_connection
    assert isinstance(driver, asyncpg.Connection)
    return driver


def _has_rested(entry: ConnectionPoolEntry) -> bool:
    return bool(time.monotonic() - entry.info[RESTED] > REST)


async def _answers(driver: asyncpg.Connection) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await driver.execute("SELECT 1")
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True
