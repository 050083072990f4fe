"""Opens connections to the Redis server that takes writes, also after a failover."""

from typing import Any

import redis
from redis import sentinel as blocking_sentinel
from redis.asyncio import connection as connections
from redis.asyncio import sentinel
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry as BlockingRetry

from app.core.config import Settings
from app.core.redis_connections.bridge import (
    BlockingConnection,
    BlockingSentinelConnection,
    BlockingSentinelTlsConnection,
    BlockingTlsConnection,
    BlockingUnixConnection,
    Connection,
    Connections,
    SentinelConnection,
    SentinelConnections,
    SentinelTlsConnection,
    TlsConnection,
    UnixConnection,
)
from app.core.urls.redis import RedisAddress

HEALTH_CHECK_INTERVAL = 30
"""Idle seconds after which a connection is checked before it is used."""

MAX_CONNECTIONS = 10_000
"""The default of Valkey. The default of redis-py is 100, so the 101st of the jobs that use Redis at
the same time would fail."""

KEEPALIVE = {"socket_keepalive": True}
"""Routers forget connections that are idle for some minutes."""

DRIVER = {"driver_info": DriverInfo()}
"""Without this, redis-py reads its own version from the disk for each new connection."""

WITHOUT_RETRY = {"retry": Retry(NoBackoff(), 0)}
BLOCKING_WITHOUT_RETRY = {"retry": BlockingRetry(NoBackoff(), 0)}
"""By default, redis-py retries three times, seconds apart. Asking the next Sentinel takes less
time, and a heartbeat would be too late."""


def open_connections(
    address: RedisAddress, settings: Settings, *, retries: int = 1
) -> connections.ConnectionPool:
    """Create a pool. It repeats a command after a lost connection, up to `retries` times."""
    options: dict[str, Any] = {
        "max_connections": MAX_CONNECTIONS,
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
    """Create a client for a thread without an event loop."""
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
    """Create the clients of the Sentinels of an address."""
    options = {**address.sentinel_options, **_timeouts(settings), **BLOCKING_WITHOUT_RETRY}
    return blocking_sentinel.Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=options
    )


def _timeouts(settings: Settings) -> dict[str, float]:
    return {
        "socket_connect_timeout": settings.redis_timeout,
        "socket_timeout": settings.redis_timeout,
    }
