"""Registers the metrics of a process, and serves them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext

from prometheus_client import CollectorRegistry, Info, ProcessCollector
from sqlalchemy.ext.asyncio import AsyncEngine

from app import __version__
from app.core.config import Settings
from app.core.telemetry.metrics_interface import ObserveRequest, Overload, Try
from app.core.telemetry.metrics_jobs import JobMetrics
from app.core.telemetry.metrics_process import LoopLag, PoolMetrics
from app.core.telemetry.metrics_requests import RequestMetrics
from app.core.telemetry.metrics_server import listen, serving


class ProcessMetrics:
    """Implements `Metrics` with its own registry instead of the global one of the library."""

    def __init__(self, settings: Settings, role: str) -> None:
        self._settings = settings
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        service = Info("service", "What this process is.", registry=self.registry)
        service.info({"version": __version__, "role": role})

    def of_requests(self, overload: Overload) -> ObserveRequest:
        requests = RequestMetrics(overload)
        self.registry.register(requests)
        return requests.observe

    def of_jobs(self, queue: str, names: Sequence[str]) -> Callable[[Try], None]:
        jobs = JobMetrics(queue, names)
        self.registry.register(jobs)
        return jobs.observe

    @asynccontextmanager
    async def serving(self, engine: AsyncEngine) -> AsyncIterator[None]:
        loop, pool = LoopLag(), PoolMetrics(engine, self._settings.max_database_connections)
        self.registry.register(loop)
        self.registry.register(pool)
        try:
            listener = listen(self._settings.metrics_host, self._settings.metrics_port or 0)
            with serving(self.registry, listener) if listener else nullcontext():
                yield
        finally:
            loop.close()
            self.registry.unregister(pool)
            self.registry.unregister(loop)
