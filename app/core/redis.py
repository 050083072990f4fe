"""How a queue's Redis is reached, from the settings alone: the API and the workers agree by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from arq.connections import RedisSettings
from redis import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.broker.serializer import from_json, to_json
from app.core.config import Settings
from app.core.queue import QUEUES, Queue, QueuePools
from app.core.redis_connections import (
    blocking_sentinels,
    open_blocking_client,
    open_connections,
)
from app.core.urls.redis import RedisAddress

log = structlog.stdlib.get_logger(__name__)

JOB_LIFETIME_MS = 90 * 86_400_000
"""arq drops a job silently this long after it was due; its own choice is one day."""

TLS_OPTIONS_OF_ARQ = {
    *("ssl_keyfile", "ssl_certfile", "ssl_cert_reqs"),
    *("ssl_ca_certs", "ssl_ca_data", "ssl_check_hostname"),
}


def queue_address(queue: Queue, settings: Settings) -> RedisAddress:
    """Return a queue's own address, or the shared one with the queue's database number."""
    if own := settings.queue_redis_urls.get(queue.name):
        return RedisAddress.parse(own)
    return RedisAddress.parse(settings.redis_url).with_database(queue.redis_db)


@asynccontextmanager
async def open_pools(settings: Settings) -> AsyncIterator[QueuePools]:
    """Open one pool per queue.

    Connections are made at first use, so a Redis that is away does not prevent a start.
    """
    pools = {queue: open_pool(queue, settings) for queue in QUEUES}
    log.debug("redis.opened")
    try:
        yield QueuePools(pools)
    finally:
        for pool in pools.values():
            await pool.aclose(close_connection_pool=True)
        log.debug("redis.closed")


def open_pool(queue: Queue, settings: Settings, *, retries: int = 1) -> QueueRedis:
    """Prepare one pool; a lost connection is tried `retries` times more, up to a second apart."""
    pool = QueueRedis(open_connections(queue_address(queue, settings), settings, retries=retries))
    pool.job_serializer = to_json
    pool.job_deserializer = from_json
    pool.queue_keys = QueueKeys(queue)
    pool.default_queue_name = pool.queue_keys.queue
    pool.expires_extra_ms = JOB_LIFETIME_MS
    return pool


def open_client(queue: Queue, settings: Settings) -> Redis:
    """Prepare a client for a thread without an event loop."""
    return open_blocking_client(queue_address(queue, settings), settings)


def redis_settings(queue: Queue, settings: Settings) -> RedisSettings:
    """Return the same in arq's words, for the stock `arq` command."""
    address = queue_address(queue, settings)
    options = address.options
    tls = {name: value for name, value in options.items() if name in TLS_OPTIONS_OF_ARQ}
    arguments: dict[str, Any] = {
        "host": options.get("host", "localhost"),
        "port": options.get("port", 6379),
        "unix_socket_path": options.get("path"),
        "database": address.database,
        "username": address.username,
        "password": address.password,
        "ssl": address.uses_tls,
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), 60),
        "retry_on_error": [RedisConnectionError],
        **tls,
    }
    if address.service is None:
        return RedisSettings(**arguments)
    return SentinelSettings(address, settings, arguments)


class SentinelSettings(RedisSettings):
    """Finds the primary when arq asks for its host: arq's own way knows no passwords of Sentinels.

    The stock worker finds it again when it is started again.
    """

    def __init__(
        self, address: RedisAddress, settings: Settings, arguments: dict[str, Any]
    ) -> None:
        super().__init__(**arguments)
        self._address, self._settings = address, settings

    def __getattribute__(self, name: str) -> object:
        if name in {"host", "port"}:
            sentinels = blocking_sentinels(self._address, self._settings)
            host, port = sentinels.discover_master(self._address.service)  # type: ignore[no-untyped-call]
            return host if name == "host" else port
        return super().__getattribute__(name)
