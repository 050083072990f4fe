"""Which workers of a queue are alive: each says so with every heartbeat."""

import time

from app.core.queue import Queue, QueuePools

LIFETIME = 15.0
"""Seconds after which a silent worker counts as dead."""


async def live_workers(queue: Queue, queues: QueuePools) -> int:
    """Count the workers of a queue that were heard of lately.

    Raises redis.exceptions.RedisError while the queue's Redis does not answer.
    """
    return int(await queues[queue].zcount(f"{queue.key}:workers", time.time() - LIFETIME, "+inf"))
