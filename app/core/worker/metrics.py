"""Measures the jobs of a worker, where METRICS_PORT says so."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from app.core.queue import Queue
from app.core.resources import Resources
from app.core.telemetry.metrics import open_metrics
from app.core.worker.execution.observers import Observers
from app.core.worker.execution.registry import Definition


@asynccontextmanager
async def measuring(
    queue: Queue, definitions: Sequence[Definition], observers: Observers, resources: Resources
) -> AsyncIterator[None]:
    """Measure and serve for as long as the block lasts, which is until the last job has ended."""
    metrics = open_metrics(resources.settings, "worker")
    if metrics is None:
        yield
        return
    observe = metrics.of_jobs(queue.name, [each.name for each in definitions])
    async with metrics.serving(resources.database.engine):
        with observers.observing(observe):
            yield
