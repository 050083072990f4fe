"""Connections to the Redis that takes writes, wherever it is by now."""

from typing import Any

import redis
from redis import sentinel as blocking_sentinel
from redis.asyncio import connection as connections
from redis.asyncio import sentinel
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import BusyLoadingError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry as BlockingRetry

from app.core.config import Settings
from app.core.urls.redis import RedisAddress

HEALTH_CHECK_INTERVAL = 30
"""Seconds of rest after which a connection is asked before it is used."""

KEEPALIVE = {"socket_keepalive": True}
"""Routers forget connections that rest for some minutes."""

DRIVER = {"driver_info": DriverInfo()}
"""redis-py would read its own version from the disk for each new connection."""

WITHOUT_RETRY = {"retry": Retry(NoBackoff(), 0)}
BLOCKING_WITHOUT_RETRY = {"retry": BlockingRetry(NoBackoff(), 0)}
"""redis-py tries three times more by default, seconds apart: longer than another Sentinel takes, or
than a heartbeat may be late."""

REMOTE_STATES = ("MASTERDOWN", "UNBLOCKED", "-READONLY", "-MASTERDOWN")
"""How errors begin that redis-py has no class for, or how a script of an old server quotes them."""


def left_primary(error: object) -> bool:
    """Return whether the server that answered so is not, or not yet, the one that takes writes."""
    if isinstance(error, (ReadOnlyError, BusyLoadingError)):
        return True
    return isinstance(error, ResponseError) and any(
        str(error).startswith(state) or f" {state}" in str(error) for state in REMOTE_STATES
    )


class LeavesFormerPrimary:
    """Closes a connection whose server no longer takes writes: the next one may find another."""

    async def read_response(self, *args: object, **options: object) -> object:
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except (ReadOnlyError, ResponseError) as error:
            if not left_primary(error):
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise RedisConnectionError(f"Redis takes no writes: {error}") from error


class Connection(LeavesFormerPrimary, connections.Connection):
    pass


class TlsConnection(LeavesFormerPrimary, connections.SSLConnection):
    pass


class UnixConnection(LeavesFormerPrimary, connections.UnixDomainSocketConnection):
    pass


class SentinelConnection(LeavesFormerPrimary, sentinel.SentinelManagedConnection):
    pass


class SentinelTlsConnection(LeavesFormerPrimary, sentinel.SentinelManagedSSLConnection):
    pass


class BlockingLeavesFormerPrimary:
    """The same for a thread without an event loop."""

    def read_response(self, *args: object, **options: object) -> object:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except (ReadOnlyError, ResponseError) as error:
            if not left_primary(error):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise RedisConnectionError(f"Redis takes no writes: {error}") from error


class BlockingConnection(BlockingLeavesFormerPrimary, redis.Connection):
    pass


class BlockingTlsConnection(BlockingLeavesFormerPrimary, redis.SSLConnection):
    pass


class BlockingUnixConnection(BlockingLeavesFormerPrimary, redis.UnixDomainSocketConnection):
    pass


class BlockingSentinelConnection(
    BlockingLeavesFormerPrimary, blocking_sentinel.SentinelManagedConnection
):
    pass


class BlockingSentinelTlsConnection(
    BlockingLeavesFormerPrimary, blocking_sentinel.SentinelManagedSSLConnection
):
    pass


class Connections(connections.ConnectionPool):
    """Takes a connection for sound without a look at its socket before every command.

    The command itself finds out, and is tried again on a new connection.
    """

    async def get_connection(self, *_: object, **__: object) -> connections.AbstractConnection:
        connection: connections.AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await self.release(connection)
            raise
        return connection


class SentinelConnections(Connections, sentinel.SentinelConnectionPool):
    """Asks Sentinels for the primary before it connects."""

    async def aclose(self) -> None:
        await super().aclose()
        for each in self.sentinel_manager.sentinels:
            await each.aclose()


def open_connections(
    address: RedisAddress, settings: Settings, *, retries: int = 1
) -> connections.ConnectionPool:
    """Prepare connections; a lost one is tried `retries` times more, up to a second apart."""
    options: dict[str, Any] = {
        **address.options,
        **_timeouts(settings),
        **DRIVER,
        **({} if address.path is not None else KEEPALIVE),
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), retries),
        "retry_on_error": [RedisConnectionError],
        "health_check_interval": HEALTH_CHECK_INTERVAL,
    }
    if address.service is not None:
        manager = sentinel.Sentinel(  # type: ignore[no-untyped-call]
            address.hosts,
            sentinel_kwargs={**address.sentinel_options, **_timeouts(settings), **WITHOUT_RETRY},
        )
        kind = SentinelTlsConnection if address.uses_tls else SentinelConnection
        return SentinelConnections(  # type: ignore[no-untyped-call]
            address.service, manager, connection_class=kind, **options
        )
    if address.path is not None:
        return Connections(UnixConnection, **options)
    return Connections(TlsConnection if address.uses_tls else Connection, **options)


def open_blocking_client(address: RedisAddress, settings: Settings) -> redis.Redis:
    """Prepare a client for a thread without an event loop."""
    options: dict[str, Any] = {
        **address.options,
        **_timeouts(settings),
        **DRIVER,
        **BLOCKING_WITHOUT_RETRY,
    }
    kind: type[redis.Connection | redis.UnixDomainSocketConnection]
    if address.service is not None:
        kind = BlockingSentinelTlsConnection if address.uses_tls else BlockingSentinelConnection
        pool: redis.ConnectionPool = blocking_sentinel.SentinelConnectionPool(  # type: ignore[no-untyped-call]
            address.service, blocking_sentinels(address, settings), connection_class=kind, **options
        )
    elif address.path is not None:
        pool = redis.ConnectionPool(BlockingUnixConnection, **options)
    else:
        kind = BlockingTlsConnection if address.uses_tls else BlockingConnection
        pool = redis.ConnectionPool(kind, **options)
    return redis.Redis.from_pool(pool)


def blocking_sentinels(address: RedisAddress, settings: Settings) -> blocking_sentinel.Sentinel:
    """Prepare clients of the Sentinels that an address names."""
    options = {**address.sentinel_options, **_timeouts(settings), **BLOCKING_WITHOUT_RETRY}
    return blocking_sentinel.Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=options
    )


def name_of_server(pool: connections.ConnectionPool) -> str:
    """Return where a pool's connections lead, as messages to operators name it."""
    if isinstance(pool, SentinelConnections):
        return f"{pool.service_name} of the Sentinels"
    options = pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host')}:{options.get('port', 6379)}")


def _timeouts(settings: Settings) -> dict[str, float]:
    return {
        "socket_connect_timeout": settings.redis_timeout,
        "socket_timeout": settings.redis_timeout,
    }
