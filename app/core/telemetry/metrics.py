"""The metrics of a process. Prometheus reads them from a port of their own.

Without METRICS_PORT nothing is measured, and the library of Prometheus is not even imported.
"""

from app.core.config import Settings
from app.core.telemetry.metrics_interface import Metrics


def open_metrics(settings: Settings, role: str) -> Metrics | None:
    """Return what measures this process, None while METRICS_PORT is not set.

    `role` is what the process is: "api", or "worker".
    """
    if settings.metrics_port is None:
        return None
    from app.core.telemetry.metrics_registry import ProcessMetrics  # noqa: PLC0415  unused without the setting

    return ProcessMetrics(settings, role)
