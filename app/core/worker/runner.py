"""Runs a worker in one or several processes until a signal stops it."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import structlog

from app.core.broker.errors import describe
from app.core.gc import tune_garbage_collection
from app.core.logging import configure_logging
from app.core.supervisor import add_processes_option, supervise
from app.core.worker.engine.worker import Worker
from app.core.worker.settings import WorkerSettings

log = structlog.stdlib.get_logger("app.worker")

THREAD_JOIN_TIMEOUT = 0.5
"""Seconds that threads get to end by themselves."""


def run(worker_settings: WorkerSettings, arguments: Sequence[str] | None = None) -> None:
    """Serve a queue until SIGTERM or SIGINT, and return when the running jobs have ended."""
    options = _parse(worker_settings, arguments)
    configure_logging(worker_settings.settings)
    tune_garbage_collection()
    serve = partial(_serve_in_process, worker_settings)
    if options.processes > 1:
        sys.exit(supervise(serve, options.processes, worker_settings.job_completion_wait))
    serve()


def _serve_in_process(worker_settings: WorkerSettings) -> None:
    # Not asyncio.run, which would wait for jobs that cannot be canceled.
    loop = _new_event_loop()
    asyncio.set_event_loop(loop)
    threads = ThreadPoolExecutor()
    loop.set_default_executor(threads)
    _run_despite_exits(loop, loop.create_task(_serve(worker_settings)))
    threads.shutdown(wait=False, cancel_futures=True)
    _exit_despite(_busy_threads())


def _run_despite_exits(loop: asyncio.AbstractEventLoop, serving: asyncio.Task[None]) -> None:
    """Run a task until it ends. A handler's task that calls `sys.exit` would stop the loop."""
    while not serving.done():
        try:
            loop.run_until_complete(serving)
        except (SystemExit, KeyboardInterrupt) as error:
            if serving.done():
                raise
            log.error("worker.exit_ignored", error=describe(error))  # noqa: TRY400


def _parse(worker_settings: WorkerSettings, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f"Run the jobs of the queue {worker_settings.queue.name!r} until SIGTERM."
    )
    add_processes_option(parser)
    return parser.parse_args(arguments)


async def _serve(worker_settings: WorkerSettings) -> None:
    worker, loop = Worker(worker_settings), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, worker.stop, number)
    await worker.run()


def _new_event_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415  there is none for Windows

    return uvloop.new_event_loop()


def _busy_threads() -> list[threading.Thread]:
    """Wait briefly for all threads, and return those that would block the end of the process."""
    deadline = time.monotonic() + THREAD_JOIN_TIMEOUT
    others = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.current_thread() and not thread.daemon
    ]
    for thread in others:
        thread.join(max(0, deadline - time.monotonic()))
    return [thread for thread in others if thread.is_alive()]


def _exit_despite(threads: Sequence[threading.Thread]) -> None:
    """End the process while threads of handlers still run. Their jobs were released.

    Python would wait for these threads, and cannot stop them.
    """
    if threads:
        log.warning("worker.left_threads", threads=[thread.name for thread in threads])
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
