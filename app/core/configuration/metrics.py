"""Settings of the metrics that Prometheus reads."""

from pydantic import Field

from app.core.configuration.group import SettingGroup


class MetricsSettings(SettingGroup):
    """The address of the metrics. Without a port, a process serves none."""

    metrics_port: int | None = Field(None, ge=1, le=65_535)
    metrics_host: str = "127.0.0.1"
