"""A server that takes Sentry's envelopes and keeps their events."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Event = dict[str, Any]


class SentryServer:
    """A server for envelopes on a free port. `raw` has all received bytes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.raw = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def dsn(self) -> str:
        return f"http://public@127.0.0.1:{self._server.server_port}/1"

    @contextmanager
    def running(self) -> Iterator["SentryServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def take(self, envelope: bytes) -> None:
        """Read an envelope: a line of headers, and then two lines for each item."""
        self.raw += envelope
        _, *lines = envelope.split(b"\n")
        for header, payload in zip(lines[::2], lines[1::2], strict=False):
            if header and json.loads(header)["type"] == "event":
                self.events.append(json.loads(payload))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                server.take(body)
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
