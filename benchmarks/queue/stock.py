"""Stock arq: `python -m benchmarks.queue.stock SETTINGS defaults|tuned [uvloop]`."""

import asyncio
import sys
from pathlib import Path
from typing import Any, ClassVar

from arq.connections import RedisSettings
from arq.worker import run_worker

from app.core.config import Settings
from app.core.queue import Queue
from app.core.redis import queue_address
from benchmarks.queue import tasks
from benchmarks.queue.ground import load

STOCK = Queue("stock", redis_db=4, concurrency=10)
"""The database of stock arq. The key of its queue is the default."""


async def report(ctx: dict[str, Any]) -> None:
    await tasks.report(ctx["redis"])


async def increment(ctx: dict[str, Any], first: int, last: int, every: int) -> None:
    await tasks.increment(ctx["redis"], first, last, every)


async def nap(ctx: dict[str, Any], seconds: float, last: int) -> None:
    await tasks.nap(ctx["redis"], seconds, last)


class WorkerSettings:
    """The settings in the documentation of arq."""

    functions: ClassVar = [report, increment, nap]
    on_startup = report


class TunedSettings:
    """The fastest settings of arq."""

    functions: ClassVar = WorkerSettings.functions
    on_startup = report
    max_jobs = 100
    poll_delay = 0.01
    queue_read_limit = 1000


def redis_settings(settings: Settings) -> RedisSettings:
    return RedisSettings.from_dsn(queue_address(STOCK, settings).url)


def main(path: str, tuning: str, loop: str = "asyncio") -> None:
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415  there is none for Windows

        asyncio.set_event_loop(uvloop.new_event_loop())
    else:
        asyncio.set_event_loop(asyncio.new_event_loop())
    chosen = TunedSettings if tuning == "tuned" else WorkerSettings
    run_worker(dict(vars(chosen)), redis_settings=redis_settings(load(Path(path))))


if __name__ == "__main__":
    main(*sys.argv[1:])
