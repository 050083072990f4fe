"""The turn of a contender, with an empty database and its workers."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from app.core.broker.keys import QueueKeys
from app.core.redis import queue_address
from benchmarks.queue.contenders import Contender
from benchmarks.queue.ground import Ground
from benchmarks.queue.tasks import REPORTS, Report, Task
from dev.child import Child

Reply = Any
"""The caller knows the type of the result."""

PATIENCE = 60
"""Seconds without a report after which a turn has failed."""

FILL = """
local queue, job_prefix, payload, score, first, count = KEYS[1], unpack(ARGV)
for number = first, first + count - 1 do
  local id = string.format('00000000-0000-7000-8000-%012x', number)
  redis.call('SET', job_prefix .. id, payload)
  redis.call('ZADD', queue, score, id)
end
"""
CHUNK = 5_000
"""Jobs per call of the script, so that no other client waits long."""


class Stage:
    """The database of a contender, as the benchmark sees it."""

    def __init__(
        self, contender: Contender, redis: Redis, workers: Sequence[Child], log: Path
    ) -> None:
        self.contender = contender
        self.redis = redis
        self._workers = workers
        self._log = log
        self._filled = 0

    async def reports(self, count: int) -> list[Report]:
        """Wait for reports of workers. Raise TimeoutError, ChildProcessError."""
        return [await self.report() for _ in range(count)]

    async def report(self) -> Report:
        """Wait for the next report of a worker. Raise TimeoutError, ChildProcessError."""
        for _ in range(PATIENCE):
            if found := await self._do("BLPOP", REPORTS, 1):
                return Report.parse(found[1])
            if any(worker.exit_code is not None for worker in self._workers):
                raise ChildProcessError(f"{self.contender.name} has ended: {self._log.read_text()}")
        raise TimeoutError(f"{self.contender.name} has not reported for {PATIENCE} s")

    async def fill(self, task: Task, count: int, *, due_ms: int | None = None) -> None:
        """Put many jobs on the queue in arq's layout. They all become due at the same moment."""
        payload, parked = self.contender.stored(task), "benchmark:parked"
        due_ms = timestamp_ms() if due_ms is None else due_ms
        job_prefix = QueueKeys.job_prefix
        first, self._filled = self._filled, self._filled + count
        for start in range(first, self._filled, CHUNK):
            size = min(CHUNK, self._filled - start)
            await self._do("EVAL", FILL, 1, parked, job_prefix, payload, due_ms, start, size)
        await self.redis.zunionstore(self.contender.key, [self.contender.key, parked])
        await self.redis.delete(parked)
        await self.wake()

    async def wake(self) -> None:
        """Wake a worker as a send does. Stock arq has no wakeup, because it polls."""
        if key := self.contender.wake_key:
            await self._do("LPUSH", key, 1)

    async def empty(self) -> None:
        """Wait until the queue is empty and no job runs."""
        while await self.redis.zcard(self.contender.key):
            await asyncio.sleep(0.05)

    async def at_rest(self) -> None:
        """Wait until Redis has rewritten its append-only file, as it does after a large fill."""
        while (await self.redis.info("persistence"))["aof_rewrite_in_progress"]:
            await asyncio.sleep(0.1)

    async def _do(self, *command: object) -> Reply:
        return await self.redis.execute_command(*command)  # type: ignore[no-untyped-call]


@asynccontextmanager
async def stage(ground: Ground, contender: Contender, workers: int = 1) -> AsyncIterator[Stage]:
    """Empty the database of a contender and start its workers. Yield when all are ready."""
    async with Redis.from_url(queue_address(contender.queue, ground.settings).url) as redis:
        await redis.flushdb()
        with ExitStack() as stack, ground.log.open("ab") as log:
            children = [
                stack.enter_context(Child(command(ground, contender), output=log.fileno()))
                for _ in range(workers)
            ]
            stage = Stage(contender, redis, children, ground.log)
            await stage.reports(workers * contender.processes)
            yield stage


def command(ground: Ground, contender: Contender) -> list[str | Path]:
    """Return the command with which a user would start the worker."""
    program, *arguments = contender.arguments
    module = [f"benchmarks.queue.{program}", str(ground.settings_file), *arguments]
    profiler = (
        ["-m", "cProfile", "-o", str(ground.profile)]
        if ground.profile and program == "ours"
        else []
    )
    return [sys.executable, *profiler, "-m", *module]
