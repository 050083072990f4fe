"""The metrics of requests. A label never contains a value that a client chooses."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from app.core.telemetry.metrics_histogram import Histogram
from app.core.telemetry.metrics_interface import Overload

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"

UNMATCHED = "unmatched"
"""The label of a request that matches no route."""

UNANSWERED = "none"
"""The label of a request whose client disconnected before the response started."""


class RequestMetrics(Collector):
    """Requests by method, route, and status, and the figures of admission control."""

    def __init__(self, overload: Overload) -> None:
        self._overload = overload
        self._duration = Histogram(
            "http_server_request_duration_seconds",
            "Seconds from the arrival of a request to the end of its response.",
            ("method", "route", "status"),
            bounds=BOUNDS,
        )

    def observe(self, method: str, route: str | None, status: int | None, seconds: float) -> None:
        labels = (
            method if method in METHODS else OTHER_METHOD,
            UNMATCHED if route is None else route,
            UNANSWERED if status is None else str(status),
        )
        self._duration.observe(labels, seconds)

    def collect(self) -> Iterator[Metric]:
        yield from self._duration.collect()
        yield GaugeMetricFamily(
            "http_server_active_requests",
            "Requests in flight, including those that wait for their turn.",
            value=self._overload.in_flight,
        )
        yield CounterMetricFamily(
            "http_server_rejected_requests",
            "Requests that got a 503 because the process had too many.",
            value=self._overload.rejections,
        )
