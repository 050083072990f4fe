"""uvicorn's HTTP protocol with limits on the head of a request.

uvicorn accepts a head of any size and waits for it forever, and its parser takes quadratic time for
a long header.
"""

import asyncio
import math
from typing import ClassVar, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.core.http.paths import is_health_check

REJECTION = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


MAX_ESCAPES = 100
"""Escapes in a cookie header. No client needs one, and the time for each is the header's length.

A header of 60 kB blocked Python before 3.11.10 and 3.12.6 for six seconds (CVE-2024-7592).
"""


class BoundedHttp(HttpToolsProtocol):
    """Closes connections whose request lines, headers, or chunk sizes are too large or too slow."""

    max_head_size: ClassVar[int] = 65_536
    """In bytes. Front ends and proxies send a few thousand; nginx accepts 32 KiB by default."""

    head_timeout: ClassVar[float] = 10
    """In seconds, from the connection or from the first byte of a further request."""

    write_timeout: ClassVar[float] = 60
    """Seconds in which a client must read something of a large response."""

    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _rejected_at = -math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        if self._is_overloaded() and (rejection := self.app_state["admission"].rejection_of(data)):
            self._reject(rejection)
            return
        self._head_size += len(data)
        super().data_received(data)
        if self._head_size > self.max_head_size and not self.transport.is_closing():
            self.transport.write(REJECTION)
            self.transport.close()
        elif self._head_size and self._head_timer is None:
            self._start_head_timer()

    def on_message_begin(self) -> None:
        self._head_size = self._head_size or 1  # the end of another request has reset it
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._end_head()
        self._drop_costly_cookies()
        cycle, queued = self.cycle, len(self.pipeline)
        super().on_headers_complete()
        admission = self.app_state.get("admission")
        starts_now = self.cycle is not cycle and len(self.pipeline) == queued
        if admission is not None and starts_now and not is_health_check(cast("Scope", self.scope)):
            admission.count_arrival(self.loop)

    def _drop_costly_cookies(self) -> None:
        if any(_is_costly(name, value) for name, value in self.headers):
            self.headers[:] = [each for each in self.headers if not _is_costly(*each)]

    def on_body(self, body: bytes) -> None:
        self._end_head()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._end_head()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Close a connection whose head the websocket library refuses, such as one with a body.

        uvicorn would neither send the refusal nor close the connection, and fail at its shutdown.
        """
        super().handle_websocket_upgrade()
        websocket = self.transport.get_protocol()
        if isinstance(websocket, WebSocketsSansIOProtocol) and not websocket.handshake_initiated:
            self.transport.writelines(websocket.conn.data_to_send())
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._end_writing()
        super().connection_lost(exc)

    def _is_overloaded(self) -> bool:
        """Return whether a request that starts with the next byte will be rejected."""
        admission = self.app_state.get("admission")
        return (
            admission is not None
            and admission.rejects_arrivals
            and not self.app_state["shutdown"].begun
            and not self._head_size
            and not self.flow.write_paused  # the parser stops reading from such clients
            and (self.cycle is None or self._has_ended(self.cycle))
        )

    def _has_ended(self, cycle: RequestResponseCycle) -> bool:
        """Return whether the request was read completely and answered."""
        return cycle.response_complete and not cycle.more_body

    def _reject(self, rejection: bytes) -> None:
        """Answer without the parser, the task, and the layers of a request."""
        if self._head_timer is not None:
            self._end_head()
        self.transport.write(rejection)
        self.server_state.total_requests += 1
        self._rejected_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._start_keep_alive_timer(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection.

        A rejection does not reset the timer, because that would take a tenth of its time.
        """
        left = self._rejected_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._start_keep_alive_timer(left)
        else:
            super().timeout_keep_alive_handler()

    def _start_keep_alive_timer(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout, self.transport.close)

    def _watch_writing(self, before: float = math.inf) -> None:
        """Drop a client that has read nothing since the last call."""
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._write_timer = self.loop.call_later(self.write_timeout, self._watch_writing, left)
        else:
            self.transport.abort()

    def _end_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _end_head(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _is_costly(name: bytes, value: bytes) -> bool:
    return name == b"cookie" and value.count(b"\\") > MAX_ESCAPES
