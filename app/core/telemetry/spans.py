"""The interfaces of a span and a tracer, which do not import the SDK."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

Kind = Literal["server", "client", "producer", "consumer"]
Value = str | int | float | bool
Attributes = Mapping[str, Value]


class Ids(NamedTuple):
    """The ids of a trace and of a span, as hexadecimal digits."""

    trace_id: str
    span_id: str


class Span(Protocol):
    """A span of a trace. If the trace is not recorded, the span has only ids."""

    @property
    def is_recording(self) -> bool: ...

    @property
    def traceparent(self) -> str | None:
        """The ids and the sampling decision in the form of the W3C header."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, error_type: str) -> None:
        """Mark the span as failed. `error_type` is a class or a code, never a message."""

    def end(self) -> None: ...


class Tracer(Protocol):
    """Starts spans. `traceparent` names a span in another process, or an earlier one."""

    def span(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]:
        """Open a span inside the current one. Without a current one, start a trace."""

    def entry(
        self, name: str, kind: Kind, attributes: Attributes, *, traceparent: str | None
    ) -> AbstractContextManager[Span]:
        """Open the first span of this process in a trace. Without `traceparent`, start a trace."""

    def begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        traceparent: str | None = None,
        started_ns: int | None = None,
    ) -> Span:
        """Start a span without making it the current one. The caller ends it."""

    def current(self) -> Span:
        """Return the current span. Outside of every span, it records nothing."""

    def ids(self) -> Ids | None:
        """Return the ids of the current span."""


class _NoSpan:
    is_recording = False
    traceparent = None

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, error_type: str) -> None: ...

    def end(self) -> None: ...


NO_SPAN: Span = _NoSpan()
"""The current span while tracing is off."""
