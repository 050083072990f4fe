"""How a queue's Redis is reached, from the settings alone: the API and the workers agree by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pydantic_core
import structlog
from arq.connections import RedisSettings
from redis import Redis
from redis.asyncio.connection import (
    AbstractConnection,
    ConnectionPool,
    SSLConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core.config import Settings
from app.core.queue import QUEUES, Queue, QueuePools
from app.core.queue_redis import QueueRedis

log = structlog.stdlib.get_logger(__name__)

JOB_LIFETIME_MS = 90 * 86_400_000
"""arq drops a job silently this long after it was due; its own choice is one day."""


def queue_url(queue: Queue, settings: Settings) -> str:
    """Tell a queue's own URL, or the shared one with the queue's database number."""
    if own := settings.queue_redis_urls.get(queue.name):
        return own
    url = urlsplit(settings.redis_url)
    if url.scheme == "unix":
        return urlunsplit(url._replace(query=f"db={queue.redis_db}"))
    return urlunsplit(url._replace(path=f"/{queue.redis_db}"))


@asynccontextmanager
async def open_pools(settings: Settings) -> AsyncIterator[QueuePools]:
    """Hold one pool per queue.

    Connections are made at first use: a Redis that is away for a moment stops nobody's start.
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
    connections = Connections.from_url(
        queue_url(queue, settings),
        socket_connect_timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries),
        retry_on_error=[RedisConnectionError],
        health_check_interval=30,
    )
    pool = QueueRedis(connections)
    pool.job_serializer = to_json
    pool.job_deserializer = from_json
    pool.default_queue_name = queue.key
    pool.expires_extra_ms = JOB_LIFETIME_MS
    return pool


class Connections(ConnectionPool):
    """Takes a connection for sound without a look at its socket before every command.

    The command itself finds out, and is tried again on a new connection.
    """

    async def get_connection(self, *_: object, **__: object) -> AbstractConnection:
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await self.release(connection)
            raise
        return connection


def open_client(queue: Queue, settings: Settings) -> Redis:
    """Prepare a client for a thread without an event loop."""
    return Redis.from_url(
        queue_url(queue, settings),
        socket_connect_timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
    )


def redis_settings(queue: Queue, settings: Settings) -> RedisSettings:
    """Say the same in arq's words, for the stock `arq` command."""
    options = parse_url(queue_url(queue, settings))
    return RedisSettings(
        host=options.get("host", "localhost"),
        port=options.get("port", 6379),
        unix_socket_path=options.get("path"),
        database=options.get("db", 0),
        username=options.get("username"),
        password=options.get("password"),
        ssl=options.get("connection_class") is SSLConnection,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), 60),
        retry_on_error=[RedisConnectionError],
    )


class HiddenArguments(dict[str, Any]):
    """A job's arguments, unreadable in a log line: arq writes the repr of every argument."""

    def __repr__(self) -> str:
        return "…"


def to_json(value: dict[str, Any]) -> bytes:
    """Encode what arq stores; an exception becomes `{"error": class, "message": text}`."""
    return pydantic_core.to_json(value, fallback=_describe_exception)


def from_json(data: bytes) -> dict[str, Any]:
    """Decode what arq stored. Raises ValueError for anything but JSON: a pickle never runs."""
    value: dict[str, Any] = pydantic_core.from_json(data)
    value["a"] = [HiddenArguments(a) if isinstance(a, dict) else a for a in value["a"]]
    return value


def _describe_exception(value: object) -> dict[str, str]:
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": str(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")
