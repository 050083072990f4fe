"""Which workers of a queue are alive: each says so every few seconds."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from redis.exceptions import RedisError
from uuid_utils.compat import uuid7

from app.core.queue import Queue, QueuePools

log = structlog.stdlib.get_logger(__name__)

INTERVAL = 5.0
LIFETIME = 15.0
"""Seconds after which a silent worker counts as dead."""


@asynccontextmanager
async def announced(queue: Queue, queues: QueuePools) -> AsyncIterator[None]:
    """Count as a live worker of the queue for as long as the block lasts."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{uuid7()}"
    await _announce(worker, queue, queues)
    signing_off = asyncio.Event()
    task = asyncio.create_task(_keep_announcing(worker, queue, queues, signing_off))
    try:
        yield
    finally:
        signing_off.set()
        await task
        try:
            await queues[queue].zrem(_key(queue), worker)
        except (RedisError, OSError):
            log.info("worker.not_signed_off", reason="Redis is away; it counts as dead by itself")


async def live_workers(queue: Queue, queues: QueuePools) -> int:
    """Count the workers of a queue that were heard of lately.

    Raises redis.exceptions.RedisError while the queue's Redis does not answer.
    """
    return int(await queues[queue].zcount(_key(queue), time.time() - LIFETIME, "+inf"))


async def _keep_announcing(
    worker: str, queue: Queue, queues: QueuePools, signing_off: asyncio.Event
) -> None:
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(signing_off.wait(), INTERVAL)
            return
        await _announce(worker, queue, queues)


async def _announce(worker: str, queue: Queue, queues: QueuePools) -> None:
    now = time.time()
    try:
        async with queues[queue].pipeline(transaction=True) as pipe:
            pipe.zadd(_key(queue), {worker: now})
            pipe.zremrangebyscore(_key(queue), "-inf", now - LIFETIME)
            await pipe.execute()
    except (RedisError, OSError) as error:
        log.debug("worker.not_announced", error=str(error))


def _key(queue: Queue) -> str:
    return f"{queue.key}:workers"
