"""The contenders: how each is started, what it stores, and how it sends jobs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from arq import ArqRedis, create_pool
from arq.constants import default_queue_name
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import Redis

from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.queue import BASE, EMAIL, Job, Queue, to_message
from app.core.redis import queue_address
from benchmarks.queue import ours, stock
from benchmarks.queue.raw import RAW as RAW_QUEUE
from benchmarks.queue.tasks import Task

Send = Callable[[Task], Awaitable[object]]


class Contender(Protocol):
    """A worker program, started by `arguments`.

    Its jobs are under `key` in the database of `queue`. A token under `wake_key` wakes a worker.
    The program runs a number of `processes`.
    """

    @property
    def name(self) -> str: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def key(self) -> str: ...
    @property
    def wake_key(self) -> str | None: ...
    @property
    def processes(self) -> int: ...
    @property
    def arguments(self) -> tuple[str, ...]: ...

    def stored(self, task: Task) -> bytes:
        """Return the payload that the contender stores for a job."""

    def sender(self, settings: Settings) -> AbstractAsyncContextManager[Send]:
        """Yield the contender's own way to send a job, over an open connection."""


@dataclass(frozen=True, eq=False)
class Ours:
    name: str
    queue: Queue
    jobs: dict[str, type[Job]]
    durable: bool = False
    """Whether the jobs that `stored` returns have rows in the outbox."""

    processes: int = 1

    @property
    def key(self) -> str:
        return QueueKeys(self.queue).queue

    @property
    def wake_key(self) -> str:
        return QueueKeys(self.queue).wake

    @property
    def arguments(self) -> tuple[str, ...]:
        return "ours", self.queue.name, "--processes", str(self.processes)

    def stored(self, task: Task) -> bytes:
        job = self.jobs[task.name](**task.arguments)
        return to_message(job, durable=self.durable).encode()

    @asynccontextmanager
    async def sender(self, settings: Settings) -> AsyncIterator[Send]:
        async with ours.open_resources(settings) as resources:
            await resources.queues[self.queue].ping()
            yield lambda task: resources.queues.send(self.jobs[task.name](**task.arguments))


@dataclass(frozen=True, eq=False)
class Stock:
    name: str
    options: tuple[str, ...]
    queue = stock.STOCK
    key = default_queue_name
    wake_key = None
    processes = 1

    @property
    def arguments(self) -> tuple[str, ...]:
        return "stock", *self.options

    def stored(self, task: Task) -> bytes:
        return serialize_job(task.name, (*task.arguments.values(),), {}, None, timestamp_ms())

    @asynccontextmanager
    async def sender(self, settings: Settings) -> AsyncIterator[Send]:
        pool: ArqRedis = await create_pool(stock.redis_settings(settings))
        try:
            yield lambda task: pool.enqueue_job(task.name, *task.arguments.values())
        finally:
            await pool.aclose(close_connection_pool=True)


@dataclass(frozen=True, eq=False)
class Raw:
    name = "BLPOP"
    queue = RAW_QUEUE
    key = QueueKeys(RAW_QUEUE).queue
    wake_key = None
    processes = 1
    arguments = ("raw",)

    def stored(self, task: Task) -> bytes:
        return task.name.encode()

    @asynccontextmanager
    async def sender(self, settings: Settings) -> AsyncIterator[Send]:
        async with Redis.from_url(queue_address(self.queue, settings).url) as redis:
            await redis.ping()
            yield lambda task: redis.lpush(self.key, self.stored(task))


OURS = Ours(
    "ours",
    ours.WIDE,
    {"report": ours.Report, "increment": ours.Increment, "nap": ours.Nap},
)
OURS_DURABLE = replace(OURS, durable=True)
OURS_BASE = Ours("ours", BASE, {"increment": ours.IncrementOnBase, "compute": ours.ComputeOnBase})
OURS_EMAIL = Ours("ours", EMAIL, {"report": ours.ReportFromEmail})
DEFAULT = Stock("arq", ("defaults",))
TUNED = Stock("tuned", ("tuned",))
TUNED_UVLOOP = Stock("tuned+uvloop", ("tuned", "uvloop"))
RAW = Raw()
