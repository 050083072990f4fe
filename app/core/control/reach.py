"""Reaching a queue: by its name, and through a Redis that may be away."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from app.core.exceptions import NotFound, Unavailable
from app.core.queue import Queue, QueuePools
from app.core.queue_redis import QueueRedis


class QueueNotFound(NotFound):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no queue {name!r}. The queues are: {', '.join(known)}")


class QueueUnavailable(Unavailable):
    def __init__(self, queue: Queue, where: str, error: Exception) -> None:
        reason = str(error).rstrip(".") or type(error).__name__
        super().__init__(
            f"The queue {queue.name!r} does not answer. Try again in a moment.",
            f"Redis of the queue {queue.name!r} at {where} does not answer ({reason}). "
            "Start it (bin/dev starts one for you) or correct REDIS_URL",
        )


def queue_named(queues: QueuePools, name: str) -> Queue:
    """Tell which queue has a name. Raises QueueNotFound, which names those that exist."""
    known = {queue.name: queue for queue in queues}
    if name not in known:
        raise QueueNotFound(name, list(known))
    return known[name]


@contextmanager
def reaching(queue: Queue, queues: QueuePools) -> Iterator[QueueRedis]:
    """Hold a queue's client. Raises QueueUnavailable where its Redis fails inside the block."""
    redis = queues[queue]
    try:
        yield redis
    except (RedisError, OSError) as error:
        raise QueueUnavailable(queue, _address(redis), error) from error


def keys_of(queue: Queue, *names: str) -> list[str]:
    """Name the queue's key and those that belong to it, as the scripts want them."""
    return [queue.key, *(f"{queue.key}:{name}" for name in names)]


def _address(redis: QueueRedis) -> str:
    options = redis.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host')}:{options.get('port', 6379)}")
