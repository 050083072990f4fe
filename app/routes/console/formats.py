"""Values as tables show them: short, and in one form on every page."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from app.core.control.durations import format_duration

LONG = 120


def short_time(moment: datetime) -> str:
    """Return a time to the second. The year is there where it is not this one."""
    moment = moment.astimezone(UTC)
    year = "" if moment.year == datetime.now(UTC).year else f" {moment.year}"
    return f"{moment:%-d %b}{year} {moment:%H:%M:%S}"


def number(value: float) -> str:
    """Return a number with separators: 1,234,567."""
    return f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that fits it: 4.2 ms, 850 ms, 1.2 s, or an age from 2 m on."""
    if value is None:
        return "none"
    if value >= LONG:
        return format_duration(value) or ""
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.3g} ms"


FILTERS: Mapping[str, Callable[..., str | None]] = {
    "age": format_duration,
    "number": number,
    "seconds": seconds,
    "short_time": short_time,
}
