"""The settings of a worker, for this project's worker and for arq's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType

import structlog
from arq.connections import RedisSettings
from arq.jobs import Deserializer, Serializer
from arq.typing import StartupShutdown
from arq.worker import Function

from app.core.broker.keys import QueueKeys
from app.core.broker.serializer import from_json, to_json
from app.core.config import Settings, load_settings
from app.core.queue import Queue
from app.core.redis import JOB_LIFETIME_MS
from app.core.resources import OpenResources, Resources, open_resources
from app.core.worker.cron.schedule import Cron, check_names
from app.core.worker.cron.scheduler import running_crons
from app.core.worker.engine.arq_bridge import (
    Serving,
    as_arq_function,
    redis_settings,
    startup_and_shutdown,
)
from app.core.worker.execution.observers import Observers
from app.core.worker.execution.registry import Definition, Handlers, definitions_of, handlers_in
from app.core.worker.execution.traced_tries import describe_try
from app.core.worker.metrics import measuring
from app.core.worker.outbox_relay import relaying
from app.core.worker.recorder import recording

log = structlog.stdlib.get_logger("app.worker")

HEALTH_CHECK_INTERVAL = 5
"""In seconds. `arq … --check` reports a dead worker as alive for one second longer than this."""

DATABASE_POOL_TIMEOUT = 30
"""Seconds that a job waits for a connection. Unlike a request, it can wait, but has few tries."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """A queue and its handlers and crons. Stock arq reads the second part, which has arq's names.

    `observers` get a report of each try.
    """

    queue: Queue
    settings: Settings
    handlers: Handlers
    crons: Sequence[Cron]
    definitions: Sequence[Definition]
    serving: Serving
    observers: Observers

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
    handlers: ModuleType | Handlers,
    crons: Sequence[Cron] = (),
    settings: Settings | None = None,
    open_resources: OpenResources = open_resources,
) -> WorkerSettings:
    """Return the settings of a queue's workers.

    `handlers` is the module that defines them, or a list of handlers of this queue.

    Raises TypeError for a handler with a wrong signature, for two handlers of one job, and for a
    job of the queue without a handler. Raises ValueError for two crons with the same name.
    """
    settings = settings or load_settings()
    check_names(crons)
    if isinstance(handlers, ModuleType):
        handlers = handlers_in(handlers, queue)
    definitions = definitions_of(handlers, queue)
    observers = Observers()
    if settings.traces:
        observers.append(describe_try)

    @asynccontextmanager
    async def serving() -> AsyncIterator[Resources]:
        """Open the resources of jobs, and run the worker's background tasks."""
        timeout = max(DATABASE_POOL_TIMEOUT, settings.database_pool_timeout)
        settings_of_jobs = settings.model_copy(update={"database_pool_timeout": timeout})
        async with (
            open_resources(settings_of_jobs) as resources,
            recording(resources.queues[queue], observers, [each.name for each in definitions]),
            measuring(queue, definitions, observers, resources),
            relaying(queue, resources),
            running_crons(crons, resources),
        ):
            log.info("worker.started", queue=queue.name, jobs=[each.name for each in definitions])
            yield resources
        log.info("worker.stopped", queue=queue.name)

    on_startup, on_shutdown = startup_and_shutdown(serving, observers)
    return WorkerSettings(
        queue=queue,
        settings=settings,
        handlers=handlers,
        crons=crons,
        definitions=definitions,
        serving=serving,
        observers=observers,
        functions=[as_arq_function(each) for each in definitions],
        queue_name=QueueKeys(queue).queue,
        max_jobs=queue.concurrency,
        redis_settings=redis_settings(queue, settings),
        job_completion_wait=settings.worker_grace_period,
        keep_result=settings.job_result_ttl,
        on_startup=on_startup,
        on_shutdown=on_shutdown,
    )
