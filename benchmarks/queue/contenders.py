"""Who is compared: how each is started, what it stores, and how its users send."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from arq import ArqRedis, create_pool
from arq.constants import default_queue_name
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import Redis

from app.core.config import Settings
from app.core.queue import BASE, EMAIL, Job, Queue
from app.core.redis import queue_url, to_json
from benchmarks.queue import ours, stock
from benchmarks.queue.raw import RAW as RAW_QUEUE
from benchmarks.queue.tasks import Task

Send = Callable[[Task], Awaitable[object]]


class Contender(Protocol):
    """A worker program, started by `arguments`; its jobs are under `key` in `queue`'s database."""

    @property
    def name(self) -> str: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def key(self) -> str: ...
    @property
    def arguments(self) -> tuple[str, ...]: ...

    def stored(self, task: Task) -> bytes:
        """Return what the contender itself stores for a job."""

    def sender(self, settings: Settings) -> AbstractAsyncContextManager[Send]:
        """Send as the contender's users do, over a connection that is open already."""


@dataclass(frozen=True, eq=False)
class Ours:
    name: str
    queue: Queue
    jobs: dict[str, type[Job]]

    @property
    def key(self) -> str:
        return self.queue.key

    @property
    def arguments(self) -> tuple[str, ...]:
        return "ours", self.queue.name

    def stored(self, task: Task) -> bytes:
        name, options = self.jobs[task.name].__name__, {"request_id": None, "kept": False}
        arguments = (task.arguments,)
        return serialize_job(name, arguments, options, None, timestamp_ms(), serializer=to_json)

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
    key = RAW_QUEUE.key
    arguments = ("raw",)

    def stored(self, task: Task) -> bytes:
        return task.name.encode()

    @asynccontextmanager
    async def sender(self, settings: Settings) -> AsyncIterator[Send]:
        async with Redis.from_url(queue_url(self.queue, settings)) as redis:
            await redis.ping()
            yield lambda task: redis.lpush(self.key, self.stored(task))


OURS = Ours(
    "ours",
    ours.WIDE,
    {"report": ours.Report, "increment": ours.Increment, "nap": ours.Nap},
)
OURS_BASE = Ours("ours", BASE, {"increment": ours.IncrementOnBase})
OURS_EMAIL = Ours("ours", EMAIL, {"report": ours.ReportFromEmail})
DEFAULT = Stock("arq", ("defaults",))
TUNED = Stock("tuned", ("tuned",))
TUNED_UVLOOP = Stock("tuned+uvloop", ("tuned", "uvloop"))
RAW = Raw()
