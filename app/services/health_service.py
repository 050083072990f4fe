"""Readiness checks: all dependencies are checked at the same time, with a timeout."""

import asyncio

import structlog
from redis.exceptions import RedisError

from app.core.broker.probe import PermissionMissing, probe
from app.core.config import Settings
from app.core.control.diagnostics import collect_warnings
from app.core.control.workers import count_live_workers
from app.core.database import DATABASE_ERRORS, Database
from app.core.exceptions import DatabaseUnavailable
from app.core.queue import Queue, QueuePools
from app.schemas.health import Check, QueueCheck, Readiness

log = structlog.stdlib.get_logger(__name__)


async def check_readiness(
    database: Database, queues: QueuePools, settings: Settings, *, shutting_down: bool
) -> Readiness:
    """Check PostgreSQL and the Redis of every queue. A queue without workers still counts as up."""
    seconds = settings.health_timeout
    database_check, queue_checks, warnings = await asyncio.gather(
        _check_database(database, seconds),
        asyncio.gather(*(_check_queue(queues, queue, seconds) for queue in queues)),
        _warnings(database, queues, seconds),
    )
    all_up = all(check.status == "up" for check in (database_check, *queue_checks))
    return Readiness(
        status="shutting down" if shutting_down else "ready" if all_up else "not ready",
        database=database_check,
        queues={queue.name: check for queue, check in zip(queues, queue_checks, strict=True)},
        warnings=warnings,
    )


async def report_outages(database: Database, queues: QueuePools) -> None:
    """Log dependencies that do not respond, at startup instead of at the first request."""
    try:
        await database.check_writable()
    except DATABASE_ERRORS as error:
        cause = error.cause if isinstance(error, DatabaseUnavailable) else str(error)
        log.error("database.unavailable", cause=cause)  # noqa: TRY400  the cause explains it
    for queue in queues:
        try:
            await probe(queues[queue])
        except (RedisError, OSError) as error:
            log.error("redis.unavailable", queue=queue.name, cause=str(error))  # noqa: TRY400


async def _check_database(database: Database, seconds: float) -> Check:
    try:
        async with asyncio.timeout(seconds):
            await database.check_writable()
    except DATABASE_ERRORS as error:
        return Check(status="down", error=_reason(error))
    return Check(status="up")


async def _check_queue(queues: QueuePools, queue: Queue, seconds: float) -> QueueCheck:
    try:
        async with asyncio.timeout(seconds):
            await probe(queues[queue])
            workers = await count_live_workers(queues, queue)
    except (RedisError, OSError) as error:
        return QueueCheck(status="down", error=_reason(error))
    return QueueCheck(status="up", workers=workers)


async def _warnings(database: Database, queues: QueuePools, seconds: float) -> list[str]:
    """Return warnings for operators, or none if the database is down, which has its own check."""
    try:
        async with asyncio.timeout(seconds):
            return await collect_warnings(database.sessions, queues)
    except DATABASE_ERRORS:
        return []


def _reason(error: Exception) -> str:
    """Return the type of a failure without its text, which may reveal host names to strangers."""
    if isinstance(error, PermissionMissing):
        return f"{type(error).__name__}: {', '.join(error.missing)}"
    return type(error).__name__
