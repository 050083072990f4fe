"""Announce the end of the process before its listener closes, and end with exit code 0."""

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
    """Whether SIGTERM has arrived.

    From then on, each response has `Connection: close`: clients open their next connection to
    another process, instead of sending a request on a connection that closes at that moment.
    """

    def __init__(self) -> None:
        self.begun = False
        self._calls: list[Callable[[], None]] = []

    def on_begin(self, call: Callable[[], None]) -> None:
        """Call something in the event loop as soon as the end is announced.

        The server waits for responses to end: those that would last have to know.
        """
        self._calls.append(call)

    def begin(self) -> None:
        self.begun = True
        for call in self._calls:
            call()


@contextmanager
def announced_shutdown(delay: float) -> Iterator[Shutdown]:
    """On SIGTERM, become unready at once, and stop the server `delay` seconds later.

    Meanwhile load balancers see 503 and route elsewhere, and requests that still arrive are served.
    A second signal ends the wait. Where no server handles SIGTERM (a test, a thread), nothing
    changes.
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
        # In a context of its own: a signal interrupts a request, which has bound its id.
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
    """Return what stops the server.

    uvicorn's own handler raises the signal again after a clean shutdown, and the process would end
    with the status of a kill.
    """
    server = getattr(server_handler, "__self__", None)
    if not isinstance(server, Server):
        return server_handler

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    return stop
