"""Access to a queue by its name, and to its Redis, which may be down."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from app.core.broker.client import QueueRedis
from app.core.exceptions import NotFound, Unavailable
from app.core.queue import Queue, QueuePools
from app.core.redis_connections.bridge import name_of_server
from app.core.redis_connections.multiplexed import Command, Reply


class QueueNotFound(NotFound):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no queue {name!r}. The queues are: {', '.join(known)}")


class QueueUnavailable(Unavailable):
    def __init__(self, queue: Queue, server: str, error: Exception) -> None:
        reason = str(error).rstrip(".") or type(error).__name__
        super().__init__(
            f"The queue {queue.name!r} does not answer. Try again in a moment.",
            f"Redis of the queue {queue.name!r} at {server} does not answer ({reason}). "
            "Start it (bin/dev starts one for you) or correct REDIS_URL",
        )


def find_queue(queues: QueuePools, name: str) -> Queue:
    """Return the queue of this name. Raises QueueNotFound, which lists the existing names."""
    by_name = {queue.name: queue for queue in queues}
    if name not in by_name:
        raise QueueNotFound(name, list(by_name))
    return by_name[name]


@contextmanager
def queue_client(queues: QueuePools, queue: Queue) -> Iterator[QueueRedis]:
    """Provide the client of a queue. Raises QueueUnavailable if Redis fails inside the block."""
    redis = queues[queue]
    try:
        yield redis
    except (RedisError, OSError) as error:
        raise QueueUnavailable(queue, _server_of(redis), error) from error


async def execute(queues: QueuePools, queue: Queue, *commands: Command) -> list[Reply]:
    """Run commands on a queue's Redis in one round trip. Raises QueueUnavailable."""
    with queue_client(queues, queue) as redis:
        return await redis.multiplexed.execute_all(*commands)


def _server_of(redis: QueueRedis) -> str:
    return name_of_server(redis.connection_pool)
