"""Pauses of a queue, and limits for all of its workers together.

They are stored in the queue's Redis, so they are lost if it loses its data.
"""

from dataclasses import dataclass

from app.core.broker.keys import QueueKeys
from app.core.control.queues import execute, queue_client
from app.core.queue import Queue, QueuePools


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """`rate` is in jobs per second, `concurrency` in jobs at once. None means no limit."""

    paused: bool
    rate: float | None
    concurrency: int | None

    @classmethod
    def parse(
        cls, paused: bytes | None, rate: bytes | None, concurrency: bytes | None
    ) -> "QueueLimits":
        """Parse what Redis stores. An empty value means that the limit is not set."""
        return cls(
            paused=bool(paused),
            rate=float(rate) if rate else None,
            concurrency=int(concurrency) if concurrency else None,
        )


async def queue_limits(queues: QueuePools, queue: Queue) -> QueueLimits:
    """Return the limits of a queue. Raises QueueUnavailable."""
    read = ("HMGET", QueueKeys(queue).limits, "paused", "rate", "concurrency")
    [values] = await execute(queues, queue, read)
    return QueueLimits.parse(*values)


async def pause(queues: QueuePools, queue: Queue) -> QueueLimits:
    """Pause a queue: no further job starts, and running jobs continue. Raises QueueUnavailable."""
    return await _set(queues, queue, paused=1)


async def resume(queues: QueuePools, queue: Queue) -> QueueLimits:
    """Resume a paused queue. Raises QueueUnavailable."""
    return await _set(queues, queue, paused=None)


async def set_rate(queues: QueuePools, queue: Queue, per_second: float | None) -> QueueLimits:
    """Limit how many jobs start per second, across all workers. None removes the limit.

    Raises ValueError unless the rate is above 0, or QueueUnavailable.
    """
    if per_second is not None and not 0 < per_second < float("inf"):
        raise ValueError(f"the rate must be above 0 jobs per second, not {per_second}")
    return await _set(queues, queue, rate=per_second, tokens=None, refilled=None)


async def set_concurrency(queues: QueuePools, queue: Queue, jobs: int | None) -> QueueLimits:
    """Limit how many jobs run at once, across all workers. None removes the limit.

    Raises ValueError unless the concurrency is at least 1, or QueueUnavailable.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"the concurrency must be at least 1 job, not {jobs}")
    return await _set(queues, queue, concurrency=jobs)


async def _set(queues: QueuePools, queue: Queue, **fields: float | None) -> QueueLimits:
    """Set fields, remove those that are None, and wake a worker to apply the change at once."""
    keys = QueueKeys(queue)
    with queue_client(queues, queue) as redis:
        async with redis.pipeline(transaction=True) as pipe:
            for name, value in fields.items():
                if value is None:
                    pipe.hdel(keys.limits, name)
                else:
                    pipe.hset(keys.limits, name, str(value))
            pipe.lpush(keys.wake, 1)
            pipe.ltrim(keys.wake, 0, 0)
            await pipe.execute()
    return await queue_limits(queues, queue)
