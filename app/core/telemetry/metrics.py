"""The metrics of a process. Prometheus reads them from a separate port.

Without METRICS_PORT, there are no metrics, and the library of Prometheus is not imported.
"""

from app.core.config import Settings
from app.core.telemetry.metrics_interface import Metrics


def open_metrics(settings: Settings, role: str) -> Metrics | None:
    """Return the metrics of this process, or None if METRICS_PORT is not set.

    `role` is "api" or "worker".
    """
    if settings.metrics_port is None:
        return None
    from app.core.telemetry.metrics_registry import ProcessMetrics  # noqa: PLC0415  unused without the setting

    return ProcessMetrics(settings, role)
