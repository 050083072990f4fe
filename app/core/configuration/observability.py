"""Settings of traces, which go to a collector, and of error reports, which go to Sentry."""

from typing import Annotated

from pydantic import Field, HttpUrl, SecretStr, StringConstraints

from app.core.configuration.group import SettingGroup


class ObservabilitySettings(SettingGroup):
    """The destinations of spans and error reports. Without an endpoint or a DSN, none are sent."""

    otel_exporter_otlp_endpoint: HttpUrl | None = None
    otel_exporter_otlp_headers: SecretStr | None = None
    otel_service_name: str = "fastapi-boilerplate"
    otel_traces_sampler_arg: float = Field(1, ge=0, le=1)
    traces_from_proxies: bool = False
    trace_url: (
        Annotated[str, StringConstraints(pattern=r"^https?://\S*\{trace_id\}\S*$")] | None
    ) = None
    sentry_dsn: SecretStr | None = None
    sentry_release: str | None = None

    @property
    def traces(self) -> bool:
        """Return whether this process exports traces."""
        return self.otel_exporter_otlp_endpoint is not None
