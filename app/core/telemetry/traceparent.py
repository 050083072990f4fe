"""Parses `traceparent`, the W3C header that names a trace between processes."""

import re

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


TRACE_ID = re.compile(r"[0-9a-f]{32}")


def readable(value: object) -> str | None:
    """Return a value if it is a `traceparent`, and otherwise None."""
    return value if isinstance(value, str) and TRACEPARENT.fullmatch(value) else None


def readable_trace_id(value: object) -> str | None:
    """Return a value if it is the id of a trace, and otherwise None."""
    return value if isinstance(value, str) and TRACE_ID.fullmatch(value) else None


def recorded_trace_id(traceparent: str | None) -> str | None:
    """Return the id of a trace, or None if the trace is not recorded."""
    found = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found[1] if found and int(found[3], 16) & 1 else None
