"""Graceful shutdown: announce it before the listener closes, and end with exit code 0."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from types import FrameType

import structlog
from uvicorn import Server

log = structlog.stdlib.get_logger(__name__)

Handler = Callable[[int, FrameType | None], object]


class Shutdown:
    """The state of the shutdown, which SIGTERM begins.

    From then on, each response has `Connection: close`, so that clients open their next connection
    to another process instead of sending a request on a connection that is about to close.
    """

    def __init__(self) -> None:
        self.begun = False
        self._calls: list[Callable[[], None]] = []

    def on_begin(self, call: Callable[[], None]) -> None:
        """Register a call that runs in the event loop when the shutdown begins.

        The server waits for responses to end, so long ones must be told to.
        """
        self._calls.append(call)

    def begin(self) -> None:
        self.begun = True
        for call in self._calls:
            call()


@contextmanager
def announced_shutdown(delay: float) -> Iterator[Shutdown]:
    """Report not ready after SIGTERM, and stop the server `delay` seconds later.

    In between, load balancers see 503 and route elsewhere, and requests that still arrive are
    served. A second signal ends the wait. If no server handles SIGTERM, as in tests and threads,
    this does nothing.
    """
    shutdown = Shutdown()
    server_handler = signal.getsignal(signal.SIGTERM)
    interrupt_handler = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not (callable(server_handler) and in_main_thread):
        yield shutdown
        return
    stop = _stopping(server_handler)
    loop = asyncio.get_running_loop()

    def begin(signum: int, frame: FrameType | None) -> None:
        stop_now = shutdown.begun or not delay
        shutdown.begun = True
        # In a new context, because the signal may interrupt a request, whose id is bound.
        loop.call_soon_threadsafe(shutdown.begin, context=Context())
        if stop_now:
            stop(signum, frame)
        else:
            loop.call_soon_threadsafe(announce, signum, context=Context())

    def interrupt(signum: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(shutdown.begin, context=Context())
        assert callable(interrupt_handler)
        interrupt_handler(signum, frame)

    def announce(signum: int) -> None:
        log.info("shutdown.announced", listener_closes_in=delay)
        loop.call_later(delay, stop, signum, None)

    signal.signal(signal.SIGTERM, begin)
    if callable(interrupt_handler):  # and not ignored, as in a background process
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield shutdown
    finally:
        signal.signal(signal.SIGTERM, server_handler)
        if callable(interrupt_handler):
            signal.signal(signal.SIGINT, interrupt_handler)


def _stopping(server_handler: Handler) -> Handler:
    """Return a handler that stops the server.

    uvicorn's own handler raises the signal again after a clean shutdown, so the exit status would
    be that of a killed process.
    """
    server = getattr(server_handler, "__self__", None)
    if not isinstance(server, Server):
        return server_handler

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    return stop
