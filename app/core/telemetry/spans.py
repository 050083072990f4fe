"""What a span and a tracer can do, without the SDK that does it."""

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
    """A piece of work in a trace. A trace that is not recorded consists of ids only."""

    @property
    def is_recording(self) -> bool: ...

    @property
    def traceparent(self) -> str | None:
        """The ids and the decision about sampling, as W3C's header has them."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, error_type: str) -> None:
        """Mark the work as failed. The type is a class or a code, never a message."""

    def end(self) -> None: ...


class Tracer(Protocol):
    """Begins spans. `traceparent` is that of a span in another process, or of an earlier one."""

    def span(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]:
        """Open a span inside the current one. Without one, it begins a trace."""

    def entry(
        self, name: str, kind: Kind, attributes: Attributes, *, traceparent: str | None
    ) -> AbstractContextManager[Span]:
        """Open the first span of this process in a trace, or the first one of a trace."""

    def begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        traceparent: str | None = None,
        started_ns: int | None = None,
    ) -> Span:
        """Return a span that has begun and is not the current one. The caller ends it."""

    def current(self) -> Span:
        """Return the span around the running code, which records nothing where there is none."""

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
"""Outside of every span, and everywhere while tracing is off."""
