"""If the collector is down, spans are lost and nothing else."""

import os
import threading
from collections.abc import Sequence
from typing import cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pydantic import HttpUrl, SecretStr
from structlog.testing import capture_logs

from app.core.resources import Resources
from app.core.telemetry.export_queue import ExportQueue
from dev.trace_collector import TraceCollector
from tests.support.ports import CLOSED_PORT
from tests.support.service import serve
from tests.support.traces import named, traced_resources

SPAN = cast("ReadableSpan", object())


class Exporter(SpanExporter):
    """An exporter with a fixed result, which may hang."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.exported: list[ReadableSpan] = []
        self.released = threading.Event()
        self.released.set()
        self.called = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.called.set()
        self.released.wait()
        if self.result is SpanExportResult.SUCCESS:
            self.exported += spans
        return self.result

    def shutdown(self) -> None:
        """Stop nothing."""


def test_the_last_spans_of_a_process_are_exported() -> None:
    exporter = Exporter()
    queue = ExportQueue(exporter)

    for _ in range(1_000):
        queue.on_end(SPAN)
    queue.close(60)

    assert len(exporter.exported) == 1_000
    assert queue.dropped == 0


def test_a_process_ends_although_its_collector_hangs() -> None:
    exporter = Exporter()
    exporter.released.clear()
    queue = ExportQueue(exporter)
    queue.on_end(SPAN)

    queue.close(0.01)

    exporter.released.set()


def test_a_full_queue_drops_spans_and_says_so_once() -> None:
    exporter = Exporter()
    exporter.released.clear()
    queue = ExportQueue(exporter, capacity=10)

    with capture_logs() as lines:
        queue.on_end(SPAN)
        exporter.called.wait()
        for _ in range(30):
            queue.on_end(SPAN)
    exporter.released.set()
    queue.close(60)

    assert queue.dropped == 20
    assert [line["event"] for line in lines] == ["traces.dropped"]


def test_an_outage_is_logged_at_its_beginning_and_at_its_end() -> None:
    exporter = Exporter(SpanExportResult.FAILURE)
    queue = ExportQueue(exporter)

    with capture_logs() as lines:
        queue._export([SPAN] * 3)  # noqa: SLF001  the work of its thread
        queue._export([SPAN])  # noqa: SLF001
        exporter.result = SpanExportResult.SUCCESS
        queue._export([SPAN])  # noqa: SLF001

    events = [(line["event"], line["dropped"]) for line in lines]
    assert events == [("traces.dropped", 3), ("traces.exported_again", 4)]


def test_a_fork_exports_its_own_spans_only() -> None:
    exporter = Exporter()
    queue = ExportQueue(exporter)
    queue._spans.append(SPAN)  # noqa: SLF001  as if it waited when the process forked
    queue._pid = os.getpid() + 1  # noqa: SLF001

    queue.on_end(SPAN)
    queue.close(60)

    assert exporter.exported == [SPAN]


async def test_a_service_answers_while_its_collector_is_away(
    resources: Resources, collector: TraceCollector
) -> None:
    away = HttpUrl(f"http://127.0.0.1:{CLOSED_PORT}")
    async with (
        traced_resources(resources, collector, otel_exporter_otlp_endpoint=away) as traced,
        serve(traced) as client,
    ):
        assert (await client.get("/api/v1/users/me")).status_code == 401


async def test_a_collector_gets_the_headers_that_it_asks_for(
    resources: Resources, collector: TraceCollector
) -> None:
    headers = SecretStr("authorization=Bearer%20secret, x-tenant=a")
    async with (
        traced_resources(resources, collector, otel_exporter_otlp_headers=headers) as traced,
        serve(traced) as client,
    ):
        await client.get("/api/v1/users/me")

    assert named(collector.spans, "GET /api/v1/users/me").service == "fastapi-boilerplate"
    assert collector.headers["authorization"] == "Bearer secret"
    assert collector.headers["x-tenant"] == "a"
