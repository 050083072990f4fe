"""uvicorn's HTTP, with bounds to what comes before a request reaches the application.

uvicorn takes a head of any size and waits for it for ever, and its parser's time grows with the
square of a header's length. Give it this class: `--http app.core.http.protocol:BoundedHttp`.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class BoundedHttp(HttpToolsProtocol):
    """Closes connections whose request lines, headers or chunk sizes are too large or too slow."""

    max_head_size: ClassVar[int] = 65_536
    """In bytes. Front ends and proxies send a few thousand; nginx takes 32 KiB by default."""

    head_timeout: ClassVar[float] = 10
    """In seconds, from the connection or from the first byte of a further request."""

    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        self._head_size += len(data)
        super().data_received(data)
        if self._head_size > self.max_head_size and not self.transport.is_closing():
            self.transport.write(REFUSAL)
            self.transport.close()
        elif self._head_size and self._head_timer is None:
            self._start_head_timer()

    def on_headers_complete(self) -> None:
        self._head_has_ended()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_has_ended()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_has_ended()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_has_ended()
        super().connection_lost(exc)

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout, self.transport.close)

    def _head_has_ended(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
