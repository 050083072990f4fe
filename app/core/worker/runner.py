"""Runs one worker process until a signal ends it."""

from typing import Any

from arq.worker import get_kwargs

from app.core.logging import configure_logging
from app.core.redis import open_pool
from app.core.worker.settings import WorkerSettings
from app.core.worker.worker import Worker

RETRIES = 3
"""Further tries of one Redis command within half a second: a hiccup passes unnoticed."""


def run(worker_settings: WorkerSettings) -> None:
    """Serve a queue; returns after SIGTERM or SIGINT, when the running jobs have ended."""
    configure_logging(worker_settings.settings)
    create_worker(worker_settings).run()


def create_worker(worker_settings: WorkerSettings, **options: float) -> Worker:
    """Build the worker of a queue; `options` are further arguments of arq's Worker."""
    pool = open_pool(worker_settings.queue, worker_settings.settings, retries=RETRIES)
    arguments: dict[str, Any] = {**get_kwargs(vars(worker_settings)), "redis_pool": pool, **options}
    return Worker(**arguments)
