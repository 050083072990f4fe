"""Serves metrics on a separate port, in a separate thread.

It responds while the event loop of the process is blocked, when the figures matter most. A scraper
that is slow or asks too often does not slow down the service.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

log = structlog.stdlib.get_logger(__name__)

PORTS = 64
"""The number of ports to try, from METRICS_PORT on."""

TIMEOUT = 5.0
"""Seconds that one scrape may take."""

MAX_CONNECTIONS = 16
"""The number of simultaneous scrapes. Further connections are closed."""

MAX_HEAD_SIZE = 8_192

CACHED = 0.5
"""Seconds for which a response is cached, so that frequent scrapes cost little processor time."""

CLOSE_TIMEOUT = 1.0
"""Seconds for which the end of the process waits for active scrapes."""


@contextmanager
def serving(registry: CollectorRegistry, listener: socket.socket) -> Iterator[None]:
    """Serve metrics during the block."""
    server = MetricsServer(listener, lambda: generate_latest(registry))
    thread = threading.Thread(target=server.run, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join(2 * CLOSE_TIMEOUT)


def listen(host: str, first: int, *, ports: int = PORTS) -> socket.socket | None:
    """Listen on the first free port from `first` on. Return None if none of `ports` is free.

    Each process gets its own port, and the process that replaces it gets the same one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(first, min(first + ports, 65_536)):
        try:
            listener = socket.create_server((host, port), family=family)
        except OSError as error:
            failure = error
        else:
            log.info("metrics.served", host=host, port=port)
            return listener
    log.error("metrics.not_served", host=host, port=first, error=str(failure))
    return None


class MetricsServer:
    """Answers `GET /metrics` and nothing else."""

    def __init__(self, listener: socket.socket, generate: Callable[[], bytes]) -> None:
        self._listener = listener
        self._generate = generate
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self._response = b""
        self._generated_at = -CACHED

    def run(self) -> None:
        """Serve until `stop` is called. Call this in a separate thread."""
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    def stop(self) -> None:
        """Stop the server, from any thread."""
        with suppress(RuntimeError):  # the loop is already closed
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._listener, limit=MAX_HEAD_SIZE)
        await self._stopping.wait()
        server.close()
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=CLOSE_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._answering) < MAX_CONNECTIONS:
                self._answering.add(task)
                async with asyncio.timeout(TIMEOUT):
                    await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the scraper disconnected, or was too slow
        finally:
            self._answering.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, *_ = [*head.split(b" ", 2), b"", b""]
        if (method, path.partition(b"?")[0]) == (b"GET", b"/metrics"):
            response = self._latest()
        else:
            response = _response("404 Not Found", "text/plain", b"Ask for GET /metrics\n")
        writer.transport.set_write_buffer_limits(0)  # drain() waits for the last byte
        writer.write(response)
        await writer.drain()
        writer.write_eof()
        await reader.read(1)  # the scraper closes: an abort before that could discard the response

    def _latest(self) -> bytes:
        if time.monotonic() - self._generated_at > CACHED:
            self._response = self._new_response()
            self._generated_at = time.monotonic()
        return self._response

    def _new_response(self) -> bytes:
        try:
            return _response("200 OK", CONTENT_TYPE_PLAIN_0_0_4, self._generate())
        except Exception as error:
            log.exception("metrics.failed", exc_info=error)
            return _response("500 Internal Server Error", "text/plain", b"See the log\n")


def _response(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
