"""What an operator should know although everything answers."""

import time
from asyncio import gather
from collections.abc import Iterator, Mapping
from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy import text

from app.core.broker.client import QueueRedis
from app.core.database import Sessions
from app.core.queue import Queue, QueuePools

MAX_CLOCK_SKEW = 5.0
"""Seconds. Leases, links, and due times tolerate less than this."""

QUEUES_WITH_ROWS = text("""\
WITH RECURSIVE named AS (
  SELECT min(queue) AS queue FROM outbox WHERE failed_at IS NULL
  UNION ALL
  SELECT (SELECT min(queue) FROM outbox WHERE failed_at IS NULL AND queue > named.queue)
  FROM named WHERE named.queue IS NOT NULL
)
SELECT queue FROM named WHERE queue IS NOT NULL""")
"""Jumps through the index from one queue to the next, however many rows there are."""

NOW_OF_DATABASE = text("SELECT extract(epoch FROM clock_timestamp())")


async def collect_warnings(sessions: Sessions, queues: QueuePools) -> list[str]:
    """Return a sentence per problem, each with its cure, for jobs and for servers.

    What is down is left out. Raises what the database raises.
    """
    return [
        *await _unknown_queues(sessions, queues),
        *await _postponed_jobs(queues),
        *await collect_server_warnings(sessions, queues),
    ]


async def collect_server_warnings(sessions: Sessions, queues: QueuePools) -> list[str]:
    """Return the warnings about the configuration and the clocks of PostgreSQL and Redis."""
    async with sessions() as session:
        ours = time.time()
        theirs = float(await session.scalar(NOW_OF_DATABASE) or 0)
    found = await gather(*(_redis_warnings(queues[queue], queue) for queue in queues))
    return [*_skew("PostgreSQL", theirs, ours), *(each for warnings in found for each in warnings)]


async def _unknown_queues(sessions: Sessions, queues: QueuePools) -> list[str]:
    known = {queue.name for queue in queues}
    async with sessions() as session:
        stored = (await session.execute(QUEUES_WITH_ROWS)).scalars().all()
    return [
        f"The queue {name!r} has jobs but is not in the code. Deploy a release that has it"
        for name in stored
        if name not in known
    ]


async def _postponed_jobs(queues: QueuePools) -> list[str]:
    warnings = []
    for queue in queues:
        with suppress(RedisError, OSError):
            if await queues[queue].exists(queues[queue].queue_keys.postponed):
                warnings.append(
                    f"Jobs of the queue {queue.name!r} wait for a worker that knows them. "
                    "Deploy the workers, or cancel the jobs"
                )
    return warnings


async def _redis_warnings(redis: QueueRedis, queue: Queue) -> list[str]:
    place = f"The Redis of the queue {queue.name!r}"
    try:
        ours = time.time()
        seconds, microseconds = await redis.time()
        info = await redis.info()
    except (RedisError, OSError):
        return []
    return [*_data_warnings(place, info), *_skew(place, seconds + microseconds / 1e6, ours)]


def _data_warnings(place: str, info: Mapping[str, object]) -> Iterator[str]:
    if info.get("role") == "slave":
        yield f"{place} is a replica. Let the URL lead to the primary"
    if (policy := info.get("maxmemory_policy")) != "noeviction":
        cure = f"Set maxmemory-policy noeviction, not {policy}"
        yield f"{place} deletes jobs when memory runs short. {cure}"
    if not info.get("aof_enabled"):
        yield f"{place} has no append-only file: a restart loses jobs. Set appendonly yes"


def _skew(place: str, theirs: float, ours: float) -> list[str]:
    """Compare a clock with ours, which was read before: the answer took some time."""
    seconds = theirs - ours
    took = time.time() - ours
    if -MAX_CLOCK_SKEW <= seconds <= MAX_CLOCK_SKEW + took:
        return []
    direction = "ahead of" if seconds > 0 else "behind"
    return [f"{place} has a clock that is {abs(seconds):.0f} s {direction} ours. Run NTP on both"]
