"""Replaces connections whose server has vanished silently, as behind a router that forgot them."""

import asyncio
import time
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import Engine, PoolProxiedConnection, QueuePool, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

MAX_IDLE = 5.0
"""Idle seconds after which a connection is checked before it is used."""

CHECK_TIMEOUT = 1.0
"""Seconds that the check may take."""

OPENED_AT, IDLE_SINCE = "opened at", "idle since"


class DeadConnectionError(InvalidatePoolError):
    """A connection does not respond. All connections that are as old are replaced, too."""


class Watch:
    """Tracks the connections of an engine's pool, by the events of the pool."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._distrusted_until = 0.0
        self._invalidated_at = 0.0
        self._idle: dict[ConnectionPoolEntry, None] = {}
        """In the order in which the pool uses them."""

    @property
    def next_is_ready(self) -> bool:
        """Return whether the next connection can be used without a check."""
        entry = next(iter(self._idle), None)
        if entry is None or entry.dbapi_connection is None:
            return False
        is_trusted = entry.info[OPENED_AT] > self._invalidated_at
        return is_trusted and not _needs_check(entry) and not driver_of(entry).is_closed()

    @property
    def has_room(self) -> bool:
        """Return whether the pool keeps a connection that returns. Otherwise, it closes it."""
        return len(self._idle) < self._size

    def distrust(self) -> None:
        """Close the present connections without a message, because the server may not respond."""
        self._distrusted_until = time.monotonic()

    def opened(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[OPENED_AT] = entry.info[IDLE_SINCE] = time.monotonic()

    def returned(self, _: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info[IDLE_SINCE] = time.monotonic()
        self._idle[entry] = None

    def taken(
        self, connection: DBAPIConnection, entry: ConnectionPoolEntry, _: PoolProxiedConnection
    ) -> None:
        self._idle.pop(entry, None)
        if driver_of(entry).is_closed():
            raise DisconnectionError("The server has closed the connection")
        if _needs_check(entry) and not connection.run_async(_responds):
            self.distrust()
            raise DeadConnectionError("The server does not respond on this connection")

    def invalidated(self, *_: object) -> None:
        self._invalidated_at = time.monotonic()

    def closing(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        self._idle.pop(entry, None)
        driver = entry.driver_connection
        is_distrusted = entry.info[OPENED_AT] < self._distrusted_until
        if is_distrusted and isinstance(driver, asyncpg.Connection):
            driver.terminate()

    def failed(self, context: ExceptionContext) -> None:
        if isinstance(context.original_exception, TimeoutError):
            self.distrust()


_watches: WeakKeyDictionary[Engine, Watch] = WeakKeyDictionary()


def watch_of(engine: AsyncEngine) -> Watch:
    watched = engine.sync_engine
    if watched not in _watches:
        assert isinstance(watched.pool, QueuePool)
        _watches[watched] = Watch(watched.pool.size())
    return _watches[watched]


def replace_dead_connections(engine: AsyncEngine) -> None:
    """Check an idle connection before it is used, and replace it if it does not respond.

    Then all connections that are as old are replaced, too. They are closed without a message,
    because a message would wait for a server that is gone.
    """
    pool, watch = engine.sync_engine.pool, watch_of(engine)
    event.listen(pool, "connect", watch.opened)
    event.listen(pool, "checkin", watch.returned)
    event.listen(pool, "checkout", watch.taken)
    event.listen(pool, "invalidate", watch.invalidated)
    event.listen(pool, "close", watch.closing)
    event.listen(engine.sync_engine, "handle_error", watch.failed)


def driver_of(pooled: ConnectionPoolEntry | PoolProxiedConnection) -> asyncpg.Connection:
    driver = pooled.driver_connection
    assert isinstance(driver, asyncpg.Connection)
    return driver


def _needs_check(entry: ConnectionPoolEntry) -> bool:
    return bool(time.monotonic() - entry.info[IDLE_SINCE] > MAX_IDLE)


async def _responds(driver: asyncpg.Connection) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await driver.execute("SELECT 1")
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True
