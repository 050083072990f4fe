"""Metrics of a worker's jobs, if METRICS_PORT is set."""

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
    """Measure jobs and serve the metrics during the block, which lasts until the last job ends."""
    metrics = open_metrics(resources.settings, "worker")
    if metrics is None:
        yield
        return
    observe = metrics.of_jobs(queue.name, [each.name for each in definitions])
    async with metrics.serving(resources.database.engine):
        with observers.observing(observe):
            yield
