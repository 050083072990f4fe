"""Joins a queue and its handlers into what arq's command line, too, can read."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import structlog
from arq.connections import RedisSettings
from arq.jobs import Deserializer, Serializer
from arq.typing import StartupShutdown
from arq.worker import Function

from app.core.config import Settings, load_settings
from app.core.queue import Queue
from app.core.redis import JOB_LIFETIME_MS, from_json, redis_settings, to_json
from app.core.resources import OpenResources, open_resources
from app.core.worker.cron import Cron, refuse_equal_names
from app.core.worker.handler import Handler, as_arq_function
from app.core.worker.sweeper import sweeping
from app.core.worker.ticker import ticking

log = structlog.stdlib.get_logger("app.worker")

HEALTH_CHECK_INTERVAL = 5
"""Seconds; `arq … --check` believes a dead worker alive for one second longer than this."""

DATABASE_PATIENCE = 30
"""Seconds that a job waits for a connection: unlike a request it has time, but not many tries."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """A queue, its settings and its handlers; below them what arq reads of it, by arq's names."""

    queue: Queue
    settings: Settings
    handlers: Sequence[Handler[Any]]
    crons: Sequence[Cron]

    functions: Sequence[Function]
    queue_name: str
    max_jobs: int
    redis_settings: RedisSettings
    job_completion_wait: int
    keep_result: int
    on_startup: StartupShutdown
    on_shutdown: StartupShutdown
    job_serializer: Serializer = to_json
    job_deserializer: Deserializer = from_json
    expires_extra_ms: int = JOB_LIFETIME_MS
    health_check_interval: int = HEALTH_CHECK_INTERVAL


def worker_settings(
    queue: Queue,
    *,
    handlers: Sequence[Handler[Any]],
    crons: Sequence[Cron] = (),
    settings: Settings | None = None,
    open_resources: OpenResources = open_resources,
) -> WorkerSettings:
    """Join a queue and its handlers.

    Raises TypeError for a handler whose job belongs to another queue, ValueError for two crons of
    one name.
    """
    settings = settings or load_settings()
    refuse_equal_names(crons)
    functions = [as_arq_function(handler, queue) for handler in handlers]
    stack = AsyncExitStack()

    async def open_all(ctx: dict[Any, Any]) -> None:
        patience = max(DATABASE_PATIENCE, settings.database_pool_timeout)
        patient = settings.model_copy(update={"database_pool_timeout": patience})
        ctx["resources"] = resources = await stack.enter_async_context(open_resources(patient))
        await stack.enter_async_context(sweeping(queue, resources))
        await stack.enter_async_context(ticking(crons, resources))
        log.info("worker.started", queue=queue.name, jobs=[function.name for function in functions])

    async def close_all(ctx: dict[Any, Any]) -> None:  # noqa: ARG001  arq's signature
        await stack.aclose()
        log.info("worker.stopped", queue=queue.name)

    return WorkerSettings(
        queue=queue,
        settings=settings,
        handlers=handlers,
        crons=crons,
        functions=functions,
        queue_name=queue.key,
        max_jobs=queue.concurrency,
        redis_settings=redis_settings(queue, settings),
        job_completion_wait=settings.worker_grace_period,
        keep_result=settings.job_result_ttl,
        on_startup=open_all,
        on_shutdown=close_all,
    )
