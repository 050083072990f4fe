"""How a queue stands, in figures."""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select

from app.core.control.limits import QueueLimits
from app.core.control.reach import keys_of, reaching
from app.core.outbox import alive, outbox
from app.core.presence import LIFETIME
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.scripts import Call, run_scripts


@dataclass(frozen=True, slots=True)
class Throughput:
    """How many jobs ended."""

    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """Ages are in seconds; minutes are full minutes of the clock.

    `due` jobs wait although it is their time, `scheduled` ones wait for theirs or for their next
    try. `dead` counts dead letters. `outbox` counts the rows of jobs whose effect has not been
    committed, and `oldest_outbox_age` tells how long ago the oldest of them was due.
    """

    queue: str
    due: int
    oldest_due_age: float | None
    running: int
    scheduled: int
    workers: int
    last_minute: Throughput
    last_five_minutes: Throughput
    limits: QueueLimits
    dead: int
    outbox: int
    oldest_outbox_age: float | None


async def queue_figures(resources: Resources, queue: Queue) -> QueueFigures:
    """Tell how a queue stands. Raises QueueUnavailable, DatabaseUnavailable."""
    keys = keys_of(queue, "running", "priority", "workers", "control", "")
    with reaching(queue, resources.queues) as redis:
        [reply] = await run_scripts(redis.wire, Call("figures", keys, [LIFETIME]))
    due, oldest_ms, running, scheduled, workers, *ended, paused, rate, concurrency = reply
    dead, rows, oldest_row = await _count_rows(resources, queue)
    return QueueFigures(
        queue=queue.name,
        due=due,
        oldest_due_age=oldest_ms / 1000 if oldest_ms >= 0 else None,
        running=running,
        scheduled=scheduled,
        workers=workers,
        last_minute=Throughput(*ended[:2]),
        last_five_minutes=Throughput(*ended[2:]),
        limits=QueueLimits.read(paused, rate, concurrency),
        dead=dead,
        outbox=rows,
        oldest_outbox_age=oldest_row,
    )


async def _count_rows(resources: Resources, queue: Queue) -> tuple[int, int, float | None]:
    is_due = or_(outbox.c.due_at.is_(None), outbox.c.due_at <= func.now())
    since = func.min(func.greatest(outbox.c.created_at, outbox.c.due_at))
    counts = select(
        func.count().filter(~alive),
        func.count().filter(alive),
        func.extract("epoch", func.now() - since.filter(and_(alive, is_due))),
    ).where(outbox.c.queue == queue.name)
    async with resources.unit_of_work() as uow:
        dead, rows, age = (await uow.session.execute(counts)).one()
    return dead, rows, None if age is None else float(age)
