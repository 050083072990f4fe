"""Exports spans to the collector in a thread, from a bounded queue in memory.

The processor of the SDK wakes up every few seconds, logs each span that it drops, and waits for
half a minute at the end. This one sleeps while there is nothing to export, logs an outage once, and
ends within a limit.
"""

import os
import threading
from collections import deque

import structlog
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

CAPACITY = 2_048
"""The spans that may wait, about 4 MB. Further ones are dropped."""

BATCH = 512

DELAY = 1.0
"""Seconds in which a batch fills."""

log = structlog.stdlib.get_logger(__name__)


class ExportQueue(SpanProcessor):
    """Exports ended spans. If the collector fails, spans are lost, but no request or job fails."""

    def __init__(self, exporter: SpanExporter, *, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self._exporter = exporter
        self._capacity = capacity
        self._failing = False
        self._prepare()

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span. The SDK calls this in the thread in which the span ends."""
        if self._pid != os.getpid():
            self._prepare()  # a fork has no threads, and its parent exports the queued spans
        if self._closing.is_set() or len(self._spans) >= self._capacity:
            self._drop(1)
            return
        self._spans.append(span)
        if not self._filled.is_set():
            self._filled.set()
            self._start()

    def close(self, timeout: float) -> None:
        """Export the waiting spans, for at most `timeout` seconds."""
        self._closing.set()
        self._filled.set()
        if self._thread is not None:
            self._thread.join(timeout)
        self._exporter.shutdown()  # ends the pause before a retry
        if self._spans:
            self._drop(len(self._spans))
            self._spans.clear()

    def _prepare(self) -> None:
        self._pid = os.getpid()
        self._spans: deque[ReadableSpan] = deque()
        self._filled, self._closing = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while not self._closing.is_set() or self._spans:
            self._filled.wait()
            self._closing.wait(DELAY)
            self._filled.clear()
            while self._spans:
                self._export([self._spans.popleft() for _ in range(min(BATCH, len(self._spans)))])

    def _export(self, batch: list[ReadableSpan]) -> None:
        try:
            result = self._exporter.export(batch)
        except Exception:  # noqa: BLE001  no failure may end the thread
            result = SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS:
            self._drop(len(batch))
        elif self._failing:
            self._failing = False
            log.info("traces.exported_again", dropped=self.dropped)

    def _drop(self, count: int) -> None:
        """Count lost spans. Log the first ones of an outage."""
        self.dropped += count
        if not self._failing:
            self._failing = True
            log.warning("traces.dropped", dropped=self.dropped)
