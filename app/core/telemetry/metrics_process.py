"""The metrics of every process: its event loop, and its connections to the database."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

TICK = 0.25
"""Seconds between two measurements of the event loop."""

WINDOW = 30.0
"""Seconds for which a lag is exported. Prometheus usually scrapes twice in this time."""


class LoopLag(Collector):
    """How late the event loop was. Another thread reads it, also while the loop is blocked."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque(maxlen=round(WINDOW / TICK))
        self._loop = asyncio.get_running_loop()
        self._expected = time.monotonic()
        self._tick()

    def close(self) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        now = time.monotonic()
        self._lags.append((now, max(0, now - self._expected)))
        self._expected = now + TICK
        self._timer = self._loop.call_later(TICK, self._tick)

    def collect(self) -> Iterator[Metric]:
        now = time.monotonic()
        recent = [lag for when, lag in list(self._lags) if when > now - WINDOW]
        yield GaugeMetricFamily(
            "event_loop_lag_seconds",
            f"The most that the event loop was late in the last {WINDOW:.0f} seconds.",
            value=max(0, now - self._expected, *recent),
        )


class PoolMetrics(Collector):
    """The connections of the process to PostgreSQL, or to the pooler in front of it."""

    def __init__(self, engine: AsyncEngine, limit: int) -> None:
        self._engine = engine
        self._limit = limit

    def collect(self) -> Iterator[Metric]:
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        connections = GaugeMetricFamily(
            "db_pool_connections", "Open connections to PostgreSQL.", labels=("state",)
        )
        connections.add_metric(("in_use",), pool.checkedout())
        connections.add_metric(("idle",), pool.checkedin())
        yield connections
        yield GaugeMetricFamily(
            "db_pool_connections_max",
            "How many connections to PostgreSQL the process may open.",
            value=self._limit,
        )
