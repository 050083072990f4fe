"""The jobs of these tests and their handlers, which record their actions."""

import asyncio
import os
import signal
import time

from sqlalchemy import TextClause

from app.core.queue import BASE, Job
from app.workers.context import JobContext
from tests.chaos.ledger import INSERTS


class Work(Job, queue=BASE, timeout=120):
    """A job that takes `seconds`, of which `hold` are inside the transaction of its effect."""

    number: int
    seconds: float = 0
    hold: float = 0


class Bomb(Job, queue=BASE):
    """A job that kills its process after `seconds`."""

    number: int
    seconds: float


class Block(Job, queue=BASE, timeout=120):
    """A job that blocks the event loop for `seconds`."""

    number: int
    seconds: float


class Fail(Job, queue=BASE, max_tries=1):
    """A job that fails for good at its first try."""


class Tick(Job, queue=BASE):
    number: int = 0


async def work(ctx: JobContext, job: Work) -> None:
    await note_start(ctx, job.number)
    await asyncio.sleep(job.seconds - job.hold)
    await have_effect(ctx, job.number, hold=job.hold)


async def explode(ctx: JobContext, job: Bomb) -> None:
    await note_start(ctx, job.number)
    await asyncio.sleep(job.seconds)
    os.kill(os.getpid(), signal.SIGKILL)


async def block(ctx: JobContext, job: Block) -> None:
    await note_start(ctx, job.number)
    end = time.monotonic() + job.seconds
    while time.monotonic() < end:
        time.sleep(0.1)  # noqa: ASYNC251  this is the fault
        sum(range(200_000))
    await have_effect(ctx, job.number)


async def fail(ctx: JobContext, job: Fail) -> None:
    raise LookupError(f"try {ctx.attempt} of {type(job).__name__}")


async def tick(ctx: JobContext, job: Tick) -> None:
    await note_start(ctx, job.number)
    await asyncio.sleep(0.1)
    await have_effect(ctx, job.number)


HANDLERS = (work, explode, block, fail, tick)


async def note_start(ctx: JobContext, number: int) -> None:
    async with ctx.scope() as scope:
        await scope.uow.session.execute(*_entry("starts", ctx, number))


async def have_effect(ctx: JobContext, number: int, *, hold: float = 0) -> None:
    async with ctx.completion() as scope:
        await scope.uow.session.execute(*_entry("effects", ctx, number))
        await asyncio.sleep(hold)


def _entry(kind: str, ctx: JobContext, number: int) -> tuple[TextClause, dict[str, str | int]]:
    return INSERTS[kind], {
        "job_id": str(ctx.job_id),
        "number": number,
        "attempt": ctx.attempt,
        "pid": os.getpid(),
    }
