"""Short formats of values in tables, which are the same on every page."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from app.core.control.durations import format_duration

MAX_SECONDS = 120
"""Longer durations have the format of `format_duration`."""


def short_time(moment: datetime) -> str:
    """Return a time to the second, with the year unless it is the current one."""
    moment = moment.astimezone(UTC)
    year = "" if moment.year == datetime.now(UTC).year else f" {moment.year}"
    return f"{moment:%-d %b}{year} {moment:%H:%M:%S}"


def number(value: float) -> str:
    """Return a number with separators: 1,234,567."""
    return f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Return a duration in a suitable unit: 4.2 ms, 850 ms, 1.2 s, or 2m."""
    if value is None:
        return "none"
    if value >= MAX_SECONDS:
        return format_duration(value) or ""
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.3g} ms"


FILTERS: Mapping[str, Callable[..., str | None]] = {
    "age": format_duration,
    "number": number,
    "seconds": seconds,
    "short_time": short_time,
}
