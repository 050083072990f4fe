"""Sets up the SDK of OpenTelemetry. Only a process that traces imports this module."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from app import __version__
from app.core.config import Settings
from app.core.telemetry.export_queue import ExportQueue
from app.core.telemetry.otel import OtelTracer
from app.core.telemetry.spans import Tracer

FLUSH_TIMEOUT = 2.0
"""Seconds for which the end of a process waits for the collector."""


@asynccontextmanager
async def exporting(settings: Settings) -> AsyncIterator[Tracer]:
    """Open a tracer that exports its spans to the collector. Export the last ones at the end."""
    queue = ExportQueue(_exporter(settings))
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.otel_traces_sampler_arg),
        resource=_resource(settings),
        shutdown_on_exit=False,  # it would wait without a limit for a collector that is down
    )
    provider.add_span_processor(queue)
    try:
        yield OtelTracer(provider.get_tracer("app", __version__))
    finally:
        await asyncio.to_thread(queue.close, FLUSH_TIMEOUT)


def _exporter(settings: Settings) -> OTLPSpanExporter:
    # The queue logs an outage once. The exporter would log each batch.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    endpoint, headers = settings.otel_exporter_otlp_endpoint, settings.otel_exporter_otlp_headers
    return OTLPSpanExporter(
        endpoint=f"{str(endpoint).rstrip('/')}/v1/traces",
        headers=_parse_headers(headers.get_secret_value()) if headers else None,
    )


def _parse_headers(text: str) -> dict[str, str]:
    """Parse `name=value,name=value`, whose values are URL-encoded."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def _resource(settings: Settings) -> Resource:
    """Return the attributes of this service. `OTEL_RESOURCE_ATTRIBUTES` may add others."""
    return Resource.create(
        {
            "service.name": settings.otel_service_name,
            "service.version": __version__,
            "deployment.environment.name": settings.environment,
        }
    )
