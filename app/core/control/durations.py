"""Durations in the format for terminals and pages."""


def format_duration(seconds: float | None) -> str | None:
    """Return a duration in its largest unit: 12s, 3m, 5h, 2d."""
    if seconds is None:
        return None
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(seconds, 0) // 1:.0f}s"
