"""The cost of the console for jobs: counting tries, and the indexes for dead letters."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from app.core.broker.client import QueueRedis
from app.core.queue import Job
from app.core.resources import Resources
from app.core.worker.execution.observers import Observers
from app.core.worker.recorder import Recorder
from app.schemas.jobs import BuildSignupReport
from benchmarks.console.fill import report

TRIES = 3_000
"""About as many jobs as a worker runs in a second."""

SECONDS = 20
TRANSACTIONS, PER_TRANSACTION = 40, 100

INDEXES = {
    "ix_outbox_queue_failed_at_id": "(queue, failed_at, id) WHERE failed_at IS NOT NULL",
    "ix_outbox_failed_at_id": "(failed_at, id) WHERE failed_at IS NOT NULL",
    "ix_outbox_queue_due_at_id": (
        "(queue, due_at, id) WHERE failed_at IS NULL AND due_at IS NOT NULL"
    ),
}


async def cost_of_counting(redis: QueueRedis) -> float:
    """Return the processor time in seconds for counting and sending one try."""
    recorder, observers = Recorder(redis, ["BuildSignupReport"]), Observers()
    observers.append(recorder.add)
    began = time.process_time()
    for _ in range(SECONDS):
        for _ in range(TRIES):
            observers.notify(report())
        await recorder.close()
    return (time.process_time() - began) / (SECONDS * TRIES)


async def enqueue_rate(resources: Resources) -> float:
    """Return the number of jobs enqueued per second, a hundred per transaction."""
    job: Job = BuildSignupReport()
    began = time.perf_counter()
    for _ in range(TRANSACTIONS):
        async with resources.unit_of_work() as uow:
            for _ in range(PER_TRANSACTION):
                uow.enqueue(job)
    return TRANSACTIONS * PER_TRANSACTION / (time.perf_counter() - began)


@asynccontextmanager
async def without_indexes(resources: Resources) -> AsyncIterator[None]:
    """Drop the indexes of the console until the block ends."""
    async with resources.sessions.begin() as session:
        for name in INDEXES:
            await session.execute(text(f"DROP INDEX {name}"))
    yield
    async with resources.sessions.begin() as session:
        await session.execute(text("SET LOCAL statement_timeout = 0"))
        for name, columns in INDEXES.items():
            await session.execute(text(f"CREATE INDEX {name} ON outbox {columns}"))
