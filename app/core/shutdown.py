"""Says that the process is about to end before its listener closes."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from types import FrameType

import structlog

log = structlog.stdlib.get_logger(__name__)


class Shutdown:
    """Whether SIGTERM has come."""

    begun = False


@contextmanager
def announced_shutdown(delay: float) -> Iterator[Shutdown]:
    """On SIGTERM, be unready at once and hand the signal to the server `delay` seconds later.

    In between, load balancers see 503 and send their requests elsewhere, while those that still
    arrive are served. A second signal ends the wait. Where no server handles SIGTERM (a test, a
    thread) nothing is changed.
    """
    shutdown = Shutdown()
    server_handler = signal.getsignal(signal.SIGTERM)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not (callable(server_handler) and in_main_thread):
        yield shutdown
        return
    loop = asyncio.get_running_loop()

    def begin(signum: int, frame: FrameType | None) -> None:
        if shutdown.begun or not delay:
            server_handler(signum, frame)
            return
        shutdown.begun = True
        # In a context of its own: a signal interrupts whatever request is running.
        loop.call_soon_threadsafe(announce, signum, context=Context())

    def announce(signum: int) -> None:
        log.info("shutdown.announced", listener_closes_in=delay)
        loop.call_later(delay, server_handler, signum, None)

    signal.signal(signal.SIGTERM, begin)
    try:
        yield shutdown
    finally:
        signal.signal(signal.SIGTERM, server_handler)
