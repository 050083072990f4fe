"""A collector that takes traces over OTLP/HTTP on 127.0.0.1 and keeps them in memory."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

MAX_SPANS = 100_000
"""The number of spans that are kept. Newer spans replace the oldest ones."""

Value = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedSpan:
    """A span as it arrived. Times are in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    began: int
    ended: int
    failed: bool
    attributes: Mapping[str, Value]
    raw: bytes

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.began) / 1e6


class TraceCollector:
    """Take spans on a free port. The server's thread calls `on_spans`."""

    def __init__(self, on_spans: Callable[[list[CollectedSpan]], None] | None = None) -> None:
        self.spans: list[CollectedSpan] = []
        self.headers: dict[str, str] = {}
        self.requests = 0
        self._on_spans = on_spans
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["TraceCollector"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def wait_for(
        self, is_complete: Callable[[list[CollectedSpan]], bool], timeout: float
    ) -> list[CollectedSpan]:
        """Wait until the spans are complete, and return them. Raise TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: is_complete(self.spans), timeout):
                names = [span.name for span in self.spans]
                raise TimeoutError(f"the trace is not complete: {names}")
            return [*self.spans]

    def take(self, body: bytes) -> None:
        """Store the spans of one request."""
        request = ExportTraceServiceRequest.FromString(body)
        spans = [*_spans_of(request)]
        with self._arrived:
            self.requests += 1
            self.spans = [*self.spans, *spans][-MAX_SPANS:]
            self._arrived.notify_all()
        if self._on_spans:
            self._on_spans(spans)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.headers = {name.lower(): value for name, value in self.headers.items()}
                collector.take(body)
                reply = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


def _spans_of(request: ExportTraceServiceRequest) -> Iterator[CollectedSpan]:
    for resource_spans in request.resource_spans:
        resource = {each.key: _value(each.value) for each in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield CollectedSpan(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    service=str(resource.get("service.name", "")),
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    attributes={each.key: _value(each.value) for each in span.attributes},
                    raw=request.SerializeToString(),
                )


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else ""
