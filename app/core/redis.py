"""The Redis of each queue, found by the settings alone: the API and the workers use the same."""

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
"""arq drops a job silently this long after it was due; its own choice is one day."""


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
