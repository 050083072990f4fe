"""Runs one worker process until a signal ends it."""

import asyncio
import sys

from app.core.logging import configure_logging
from app.core.memory import freeze_imports
from app.core.worker.settings import WorkerSettings
from app.core.worker.worker import Worker


def run(worker_settings: WorkerSettings) -> None:
    """Serve a queue; returns after SIGTERM or SIGINT, when the running jobs have ended."""
    configure_logging(worker_settings.settings)
    freeze_imports()
    # Not asyncio.run: at its end it would wait for a job that cannot be cancelled.
    loop = _new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_serve(worker_settings))


def create_worker(worker_settings: WorkerSettings, **options: float) -> Worker:
    """Build the worker of a queue in the running event loop; `options` as arq's Worker has them."""
    return Worker(worker_settings, **options)


async def _serve(worker_settings: WorkerSettings) -> None:
    worker = create_worker(worker_settings)
    try:
        await worker.async_run()
    finally:
        await worker.close()


def _new_event_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415  there is none for Windows

    return uvloop.new_event_loop()
