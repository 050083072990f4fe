"""Whether the service can serve: every dependency is asked at the same time, with a deadline."""

import asyncio

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.core.exceptions import DatabaseUnavailable
from app.core.presence import live_workers
from app.core.queue import Queue
from app.core.resources import Resources
from app.schemas.health import Check, QueueCheck, Readiness


async def check_readiness(resources: Resources, *, shutting_down: bool) -> Readiness:
    """Ask PostgreSQL and every queue's Redis. A queue without a worker is told, not failed."""
    queues = list(resources.queues)
    database, checks = await asyncio.gather(
        _check_database(resources),
        asyncio.gather(*(_check_queue(resources, queue) for queue in queues)),
    )
    all_up = all(check.status == "up" for check in (database, *checks))
    return Readiness(
        status="shutting down" if shutting_down else "ready" if all_up else "not ready",
        database=database,
        queues={queue.name: check for queue, check in zip(queues, checks, strict=True)},
    )


async def _check_database(resources: Resources) -> Check:
    try:
        async with asyncio.timeout(resources.settings.health_timeout):
            await resources.database.ping()
    except (DatabaseUnavailable, SQLAlchemyError, OSError) as error:
        return Check(status="down", error=_reason(error))
    return Check(status="up")


async def _check_queue(resources: Resources, queue: Queue) -> QueueCheck:
    try:
        async with asyncio.timeout(resources.settings.health_timeout):
            workers = await live_workers(queue, resources.queues)
    except (RedisError, OSError) as error:
        return QueueCheck(status="down", error=_reason(error))
    return QueueCheck(status="up", workers=workers)


def _reason(error: Exception) -> str:
    """Name the kind of failure; its text may tell host names to everybody."""
    return type(error).__name__
