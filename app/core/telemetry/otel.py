"""Implements the spans and the tracer of this service with OpenTelemetry."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from app.core.telemetry.spans import Attributes, Ids, Kind, Span
from app.core.telemetry.traceparent import TRACEPARENT

KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}

NO_PARENT = Context()
"""The context outside of every span."""


class OtelSpan:
    """A span. It shows the class of an exception, but not the message, which may contain values."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def is_recording(self) -> bool:
        return self._span.is_recording()

    @property
    def traceparent(self) -> str | None:
        context = self._span.get_span_context()
        if not context.is_valid:
            return None
        sampled = context.trace_flags & TraceFlags.SAMPLED
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{sampled:02x}"

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        """Mark the span as failed. The first reason counts: a crash precedes its status 500."""
        if isinstance(self._span, ReadableSpan) and not self._span.status.is_unset:
            return
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()


class OtelTracer:
    """Starts spans of one provider."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(self, name: str, kind: Kind, attributes: Attributes) -> Iterator[Span]:
        with self._current(self._start(name, kind, attributes, None, None)) as span:
            yield span

    @contextmanager
    def entry(
        self, name: str, kind: Kind, attributes: Attributes, *, traceparent: str | None
    ) -> Iterator[Span]:
        parent = context_of(traceparent) or NO_PARENT
        with self._current(self._start(name, kind, attributes, parent, None)) as span:
            yield span

    def begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        traceparent: str | None = None,
        started_ns: int | None = None,
    ) -> Span:
        parent = context_of(traceparent)
        return OtelSpan(self._start(name, kind, attributes, parent, started_ns))

    def current(self) -> Span:
        return OtelSpan(trace.get_current_span())

    def ids(self) -> Ids | None:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return Ids(f"{context.trace_id:032x}", f"{context.span_id:016x}")

    def _start(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        parent: Context | None,
        started_ns: int | None,
    ) -> trace.Span:
        return self._tracer.start_span(name, parent, KINDS[kind], attributes, start_time=started_ns)

    @contextmanager
    def _current(self, span: trace.Span) -> Iterator[Span]:
        token = attach(trace.set_span_in_context(span))
        traced = OtelSpan(span)
        try:
            yield traced
        except BaseException as error:
            traced.fail(type(error).__name__)
            raise
        finally:
            detach(token)
            span.end()


def context_of(traceparent: str | None) -> Context | None:
    """Return the context of a span in another process, or None if `traceparent` is invalid."""
    found = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    trace_id, span_id, flags = (int(digits, 16) for digits in found.groups())
    sampled = TraceFlags(flags & TraceFlags.SAMPLED)
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=sampled)
    return trace.set_span_in_context(NonRecordingSpan(parent), NO_PARENT)
