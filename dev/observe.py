"""`bin/dev --observe` prints each trace as text once its spans have arrived."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.trace_collector import CollectedSpan, TraceCollector
from dev.trace_tree import tree

QUIET = 2.5
"""Seconds without a new span after which a trace is shown. Processes export every second."""

METRICS_PORT = 9464


@contextmanager
def observing(show: Callable[[str], None], quiet: float = QUIET) -> Iterator[dict[str, str]]:
    """Collect the traces of the service, and yield the settings with which it sends them."""
    traces = ArrivingTraces(show, quiet)
    with TraceCollector(traces.take).running() as collector, traces.shown():
        yield {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "METRICS_PORT": str(METRICS_PORT),
        }


class ArrivingTraces:
    """Traces whose spans come from several processes, in any order."""

    def __init__(self, show: Callable[[str], None], quiet: float) -> None:
        self._show = show
        self._quiet = quiet
        self._lock = threading.Lock()
        self._spans: dict[str, list[CollectedSpan]] = {}
        self._touched: dict[str, float] = {}

    def take(self, spans: list[CollectedSpan]) -> None:
        with self._lock:
            for span in spans:
                self._spans.setdefault(span.trace_id, []).append(span)
                self._touched[span.trace_id] = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show traces in a thread, and the remaining ones at the end of the block."""
        ending = threading.Event()
        thread = threading.Thread(target=self._show_until, args=(ending,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()

    def _show_until(self, ending: threading.Event) -> None:
        while not ending.wait(self._quiet / 5):
            self._show_quiet(time.monotonic() - self._quiet)
        self._show_quiet(time.monotonic())

    def _show_quiet(self, before: float) -> None:
        with self._lock:
            quiet = [trace_id for trace_id, at in self._touched.items() if at <= before]
            found = [self._spans.pop(trace_id) for trace_id in quiet]
            for trace_id in quiet:
                del self._touched[trace_id]
        for spans in found:
            self._show(tree(spans))
