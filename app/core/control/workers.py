"""The live workers, from the information that each sends with every heartbeat."""

import time
from asyncio import gather
from dataclasses import dataclass, field
from datetime import datetime

import pydantic_core
from pydantic import JsonValue, TypeAdapter

from app.core.broker.keys import WORKER_LIFETIME, QueueKeys
from app.core.control.queues import execute
from app.core.queue import Queue, QueuePools


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    id: str
    name: str
    started: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRecord:
    """A cron of a worker: its job, and when it runs next."""

    name: str
    job: str
    queue: str
    payload: dict[str, JsonValue]
    schedule: str
    next: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker process. `rss` is its memory in bytes.

    `succeeded`, `failed`, and `retried` count tries since its start. `handlers` maps each job class
    to the handler's place in the code.
    """

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
    handlers: dict[str, str] = field(default_factory=dict)
    crons: tuple[CronRecord, ...] = ()


record = TypeAdapter(WorkerRecord)


async def all_live_workers(queues: QueuePools) -> list[WorkerRecord]:
    """List the live workers of all queues. Raises QueueUnavailable."""
    found = await gather(*(live_workers(queues, queue) for queue in queues))
    return [worker for workers in found for worker in workers]


async def live_workers(queues: QueuePools, queue: Queue) -> list[WorkerRecord]:
    """List the live workers of a queue. Raises QueueUnavailable."""
    keys = QueueKeys(queue)
    [found] = await execute(queues, queue, ("ZRANGE", keys.workers, 0, -1))
    if not found:
        return []
    ids = [each.decode() for each in found]
    # The record of a worker expires unless a heartbeat renews it.
    [texts] = await execute(queues, queue, ("MGET", *map(keys.worker, ids)))
    return [
        record.validate_python({**pydantic_core.from_json(text), "id": each, "queue": queue.name})
        for each, text in zip(ids, texts, strict=True)
        if text is not None
    ]


async def count_live_workers(queues: QueuePools, queue: Queue) -> int:
    """Count the live workers of a queue.

    Raises redis.exceptions.RedisError if the queue's Redis does not respond.
    """
    alive_since = time.time() - WORKER_LIFETIME
    return int(await queues[queue].zcount(QueueKeys(queue).workers, alive_since, "+inf"))
