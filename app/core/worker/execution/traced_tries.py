"""The attributes of a try's span."""

from app.core.telemetry.tracing import current_span
from app.core.worker.execution.observers import TryReport


def describe_try(report: TryReport) -> None:
    """Describe a try in its span. A handler that raised Retry has not failed."""
    span = current_span()
    span.set({"job.outcome": report.outcome})
    if report.pickup_seconds is not None:
        span.set({"job.pickup_seconds": round(report.pickup_seconds, 4)})
    if report.error_class not in {None, "Retry"}:
        span.fail(str(report.error_class))
