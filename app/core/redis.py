"""The Redis of each queue. The settings determine it, so the API and the workers use the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis import Redis

from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.broker.serializer import from_json, to_json
from app.core.config import Settings
from app.core.queue import QUEUES, Queue, QueuePools
from app.core.redis_connections.opening import open_blocking_client, open_connections
from app.core.urls.redis import RedisAddress

log = structlog.stdlib.get_logger(__name__)

JOB_LIFETIME_MS = 90 * 86_400_000
"""Time after the due time at which arq silently drops a job. The default of arq is one day."""


def queue_address(queue: Queue, settings: Settings) -> RedisAddress:
    """Return the queue's own address, or the shared one with the database number of the queue."""
    if own := settings.queue_redis_urls.get(queue.name):
        return RedisAddress.parse(own)
    return RedisAddress.parse(settings.redis_url).with_database(queue.redis_db)


@asynccontextmanager
async def open_pools(settings: Settings) -> AsyncIterator[QueuePools]:
    """Open one pool per queue.

    A pool connects at its first use, so the process starts even if a Redis is down.
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
    """Create a pool. It repeats a command after a lost connection, up to `retries` times."""
    pool = QueueRedis(open_connections(queue_address(queue, settings), settings, retries=retries))
    pool.job_serializer = to_json
    pool.job_deserializer = from_json
    pool.queue_keys = QueueKeys(queue)
    pool.default_queue_name = pool.queue_keys.queue
    pool.expires_extra_ms = JOB_LIFETIME_MS
    return pool


def open_client(queue: Queue, settings: Settings) -> Redis:
    """Create a client for a thread without an event loop."""
    return open_blocking_client(queue_address(queue, settings), settings)
