"""A traced service and its traces."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from pydantic import HttpUrl

from app.core.config import Settings
from app.core.resources import Resources, open_resources
from dev.trace_collector import CollectedSpan, TraceCollector
from tests.support.passwords import CHEAP_PASSWORDS


def traced_settings(settings: Settings, collector: TraceCollector, **changes: object) -> Settings:
    """Return settings that lead to a collector."""
    endpoint = HttpUrl(collector.endpoint)
    return settings.model_copy(update={"otel_exporter_otlp_endpoint": endpoint, **changes})


@asynccontextmanager
async def traced_resources(
    resources: Resources, collector: TraceCollector, **changes: object
) -> AsyncIterator[Resources]:
    """Open the resources of a traced process. All spans are exported when the block ends."""
    settings = traced_settings(resources.settings, collector, **changes)
    async with open_resources(settings) as opened:
        yield replace(opened, throttle=resources.throttle, passwords=CHEAP_PASSWORDS)


def named(spans: Sequence[CollectedSpan], name: str) -> CollectedSpan:
    """Return the only span with a name."""
    [found] = [span for span in spans if span.name == name]
    return found


def parents(spans: Sequence[CollectedSpan]) -> Mapping[str, str]:
    """Return the name of each span's parent by its own name; '' for a root."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id, "") for span in spans}
