"""A worker as in the manual of arq, with the jobs of these tests. It is the negative control."""

import asyncio
import os
import signal
from typing import Any

from arq import func
from arq.connections import RedisSettings

from app.core.config import load_settings
from app.core.database import create_engine
from app.core.queue import BASE
from app.core.redis import queue_address
from tests.chaos.ledger import INSERTS
from tests.chaos.processes import CONCURRENCY

Context = dict[Any, Any]


async def work(ctx: Context, number: int, seconds: float, hold: float) -> None:  # noqa: ARG001
    await _write("starts", ctx, number)
    await asyncio.sleep(seconds)
    await _write("effects", ctx, number)


async def explode(ctx: Context, number: int, seconds: float) -> None:
    await _write("starts", ctx, number)
    await asyncio.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


async def _write(kind: str, ctx: Context, number: int) -> None:
    async with ctx["engine"].begin() as connection:
        await connection.execute(
            INSERTS[kind],
            {
                "job_id": ctx["job_id"],
                "number": number,
                "attempt": ctx["job_try"],
                "pid": os.getpid(),
            },
        )


async def open_engine(ctx: Context) -> None:
    ctx["engine"] = create_engine(load_settings())


class WorkerSettings:
    functions = (func(work, name="Work"), func(explode, name="Bomb"))
    on_startup = open_engine
    max_jobs = int(os.environ.get(CONCURRENCY, "10"))
    redis_settings = RedisSettings.from_dsn(queue_address(BASE, load_settings()).url)
