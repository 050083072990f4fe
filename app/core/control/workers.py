"""Which workers are alive, as they describe themselves with every heartbeat."""

from dataclasses import dataclass
from datetime import datetime

import pydantic_core
from pydantic import TypeAdapter

from app.core.control.reach import reaching
from app.core.queue import Queue
from app.core.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    id: str
    name: str
    started: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker process; `rss` is its memory in bytes, the last three count jobs since its start."""

    id: str
    queue: str
    host: str
    pid: int
    version: str
    started: datetime
    rss: int
    concurrency: int
    running: tuple[RunningJob, ...]
    succeeded: int
    failed: int
    retried: int


record = TypeAdapter(WorkerRecord)


async def live_workers(resources: Resources, queue: Queue) -> list[WorkerRecord]:
    """List the workers of a queue that were heard of lately. Raises QueueUnavailable."""
    workers = f"{queue.key}:workers"
    with reaching(queue, resources.queues) as redis:
        ids = [each.decode() for each in await redis.zrange(workers, 0, -1)]
        # What a worker says of itself expires with its last sign of life.
        texts = await redis.mget([f"{queue.key}:worker:{each}" for each in ids]) if ids else []
    return [
        record.validate_python({**pydantic_core.from_json(text), "id": each, "queue": queue.name})
        for each, text in zip(ids, texts, strict=True)
        if text is not None
    ]
