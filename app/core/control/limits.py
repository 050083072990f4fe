"""Pausing a queue, and limits that hold for all of its workers together.

They are kept in the queue's Redis: one that loses its data loses them, too.
"""

from dataclasses import dataclass

from app.core.control.reach import reaching
from app.core.queue import Queue
from app.core.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """`rate` is in jobs per second, `concurrency` in jobs at once; None means no limit."""

    paused: bool
    rate: float | None
    concurrency: int | None

    @classmethod
    def read(
        cls, paused: bytes | None, rate: bytes | None, concurrency: bytes | None
    ) -> "QueueLimits":
        """Read what Redis holds; empty means not set."""
        return cls(
            paused=bool(paused),
            rate=float(rate) if rate else None,
            concurrency=int(concurrency) if concurrency else None,
        )


async def queue_limits(resources: Resources, queue: Queue) -> QueueLimits:
    """Tell what holds for a queue. Raises QueueUnavailable."""
    with reaching(queue, resources.queues) as redis:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.hmget(_key(queue), ["paused", "rate", "concurrency"])
            [values] = await pipe.execute()
    return QueueLimits.read(*values)


async def pause(resources: Resources, queue: Queue) -> QueueLimits:
    """Have no further job of a queue begun; those that run go on. Raises QueueUnavailable."""
    return await _set(resources, queue, paused=1)


async def resume(resources: Resources, queue: Queue) -> QueueLimits:
    """End a pause. Raises QueueUnavailable."""
    return await _set(resources, queue, paused=None)


async def set_rate(resources: Resources, queue: Queue, per_second: float | None) -> QueueLimits:
    """Let at most so many jobs begin per second, over all workers; None lifts the limit.

    Raises ValueError unless it is more than 0, QueueUnavailable.
    """
    if per_second is not None and not 0 < per_second < float("inf"):
        raise ValueError(f"a rate is a number of jobs per second above 0, not {per_second}")
    return await _set(resources, queue, rate=per_second, tokens=None, refilled=None)


async def set_concurrency(resources: Resources, queue: Queue, jobs: int | None) -> QueueLimits:
    """Let at most so many jobs run at once, over all workers; None lifts the limit.

    Raises ValueError unless it is more than 0, QueueUnavailable.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"a concurrency is a number of jobs from 1, not {jobs}")
    return await _set(resources, queue, concurrency=jobs)


async def _set(resources: Resources, queue: Queue, **fields: float | None) -> QueueLimits:
    """Change fields, remove those that are None, and wake a worker to look at once."""
    wake = f"{queue.key}:wake"
    with reaching(queue, resources.queues) as redis:
        async with redis.pipeline(transaction=True) as pipe:
            for name, value in fields.items():
                if value is None:
                    pipe.hdel(_key(queue), name)
                else:
                    pipe.hset(_key(queue), name, str(value))
            pipe.lpush(wake, 1)
            pipe.ltrim(wake, 0, 0)
            await pipe.execute()
    return await queue_limits(resources, queue)


def _key(queue: Queue) -> str:
    return f"{queue.key}:control"
