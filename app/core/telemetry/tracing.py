"""Spans of the work of this process. Without `OTEL_EXPORTER_OTLP_ENDPOINT`, there are none.

A span has a name, a kind, and attributes, which are listed where it starts. They contain no values:
no argument, address, path, query, header, or message of an exception.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib.util import find_spec

from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.core.telemetry.spans import NO_SPAN, Attributes, Ids, Kind, Span, Tracer

NOT_INSTALLED = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. "
    "Install it with: uv sync --extra otel"
)


_NO_SPAN_CONTEXT = nullcontext(NO_SPAN)

_tracer: Tracer | None = None


def active_tracer() -> Tracer | None:
    """Return the tracer of this process, or None while tracing is off."""
    return _tracer


def span(
    name: str, kind: Kind, attributes: Callable[[], Attributes]
) -> AbstractContextManager[Span]:
    """Open a span inside the current one. Without tracing, the attributes are not computed."""
    if _tracer is None:
        return _NO_SPAN_CONTEXT
    return _tracer.span(name, kind, attributes())


def current_span() -> Span:
    """Return the current span. Outside of every span, it records nothing."""
    return NO_SPAN if _tracer is None else _tracer.current()


def current_ids() -> Ids | None:
    """Return the ids of the current trace and span, or None outside of every span."""
    return None if _tracer is None else _tracer.ids()


@asynccontextmanager
async def tracing(settings: Settings) -> AsyncIterator[None]:
    """Trace during the block, and export the last spans at its end.

    Raises ConfigurationError if the extra is not installed.
    """
    global _tracer  # noqa: PLW0603  as logging: any module may trace
    if not settings.traces:
        yield
        return
    if find_spec("opentelemetry.exporter") is None:
        raise ConfigurationError(NOT_INSTALLED)
    from app.core.telemetry.provider import exporting  # noqa: PLC0415  the SDK takes long to load

    before = _tracer
    async with exporting(settings) as tracer:
        _tracer = tracer
        try:
            yield
        finally:
            _tracer = before
