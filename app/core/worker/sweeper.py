"""Sends what was left behind: by a crash after the commit, or by a Redis that was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.core import outbox
from app.core.exceptions import DatabaseUnavailable
from app.core.queue import Queue
from app.core.resources import Resources

log = structlog.stdlib.get_logger("app.worker")

INTERVAL = 1.0
"""Seconds between two looks at the outbox."""

LOOKS_PER_MARK = 2
"""Every second look at the outbox is one for a Redis that has lost its data, too."""


@asynccontextmanager
async def sweeping(queue: Queue, resources: Resources) -> AsyncIterator[None]:
    """Look after a queue's rows in the outbox for as long as the block lasts."""
    ending = asyncio.Event()
    task = asyncio.create_task(_keep_sweeping(queue, resources, ending))
    try:
        yield
    finally:
        ending.set()
        await task


async def _keep_sweeping(queue: Queue, resources: Resources, ending: asyncio.Event) -> None:
    quiet = True
    for look in count():
        if ending.is_set():
            break
        busy = False
        try:
            if look % LOOKS_PER_MARK == 0:
                await _notice_a_lost_redis(queue, resources)
            busy = await sweep(queue, resources) == outbox.BATCH
            quiet = True
        except (RedisError, SQLAlchemyError, DatabaseUnavailable, OSError) as error:
            if quiet:
                log.warning("outbox.not_swept", queue=queue.name, error=str(error))
            quiet = False
        if not busy:
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), INTERVAL)


async def sweep(queue: Queue, resources: Resources) -> int:
    """Send what is overdue once, up to outbox.BATCH jobs, and return how many were looked at.

    Raises redis.exceptions.RedisError when Redis goes in the middle; what was not sent then is
    overdue again.
    """
    async with resources.unit_of_work() as uow:
        jobs = await outbox.take_overdue(uow.session, queue)
    try:
        await resources.queues.post(jobs)
    except (RedisError, OSError):
        async with resources.unit_of_work() as uow:
            await outbox.hasten(uow.session, [job.id for job in jobs])
        raise
    return len(jobs)


async def _notice_a_lost_redis(queue: Queue, resources: Resources) -> None:
    """Have every job sent again when Redis has forgotten us: it was emptied or replaced."""
    pool, mark = resources.queues[queue], f"{queue.key}:known"
    if await pool.exists(mark):
        return
    async with resources.unit_of_work() as uow:
        await outbox.check_now(uow.session, queue)
    await pool.set(mark, 1)
