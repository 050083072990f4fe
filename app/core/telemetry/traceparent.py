"""How a trace is named between processes: W3C's `traceparent`, in its only version."""

import re

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


TRACE_ID = re.compile(r"[0-9a-f]{32}")


def readable(value: object) -> str | None:
    """Return a value that names a trace; None for anything else, which may be foreign or long."""
    return value if isinstance(value, str) and TRACEPARENT.fullmatch(value) else None


def readable_trace_id(value: object) -> str | None:
    """Return the id of a trace; None for anything else."""
    return value if isinstance(value, str) and TRACE_ID.fullmatch(value) else None


def recorded_trace_id(traceparent: str | None) -> str | None:
    """Return the id of a trace that a collector has, None for one that is not recorded."""
    found = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found[1] if found and int(found[3], 16) & 1 else None
