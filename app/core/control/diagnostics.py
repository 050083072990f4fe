"""Warnings for operators about problems that no failed request shows."""

import time
from asyncio import gather
from collections.abc import Iterator, Mapping
from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy import text

from app.core.broker.client import QueueRedis
from app.core.control.row_counts import queues_with
from app.core.database import Sessions
from app.core.job_store.outbox import alive_in_order
from app.core.queue import Queue, QueuePools

MAX_CLOCK_SKEW = 5.0
"""Seconds. Leases, links, and due times tolerate less than this."""

QUEUES_WITH_JOBS = queues_with(alive_in_order)

DATABASE_TIME = text("SELECT extract(epoch FROM clock_timestamp())")


async def collect_warnings(sessions: Sessions, queues: QueuePools) -> list[str]:
    """Return one sentence per problem of jobs and servers, with its cure.

    A Redis that is down has no warnings. Raises what the database raises.
    """
    return [
        *await _unknown_queues(sessions, queues),
        *await _postponed_jobs(queues),
        *await collect_server_warnings(sessions, queues),
    ]


async def collect_server_warnings(sessions: Sessions, queues: QueuePools) -> list[str]:
    """Return the warnings about the configuration and the clocks of PostgreSQL and Redis."""
    async with sessions() as session:
        local_time = time.time()
        server_time = float(await session.scalar(DATABASE_TIME) or 0)
    found = await gather(*(_redis_warnings(queues[queue], queue) for queue in queues))
    return [
        *_skew("PostgreSQL", server_time, local_time),
        *(warning for warnings in found for warning in warnings),
    ]


async def _unknown_queues(sessions: Sessions, queues: QueuePools) -> list[str]:
    known = {queue.name for queue in queues}
    async with sessions() as session:
        stored = (await session.scalars(QUEUES_WITH_JOBS)).all()
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
                    f"Jobs of the queue {queue.name!r} wait for a worker that knows their class. "
                    "Deploy the workers, or cancel the jobs"
                )
    return warnings


async def _redis_warnings(redis: QueueRedis, queue: Queue) -> list[str]:
    server = f"The Redis of the queue {queue.name!r}"
    try:
        local_time = time.time()
        seconds, microseconds = await redis.time()
        info = await redis.info()
    except (RedisError, OSError):
        return []
    server_time = seconds + microseconds / 1e6
    return [*_data_warnings(server, info), *_skew(server, server_time, local_time)]


def _data_warnings(server: str, info: Mapping[str, object]) -> Iterator[str]:
    if info.get("role") == "slave":
        yield f"{server} is a replica. Point the URL to the primary"
    if (policy := info.get("maxmemory_policy")) != "noeviction":
        cure = f"Set maxmemory-policy noeviction, not {policy}"
        yield f"{server} deletes jobs when memory runs out. {cure}"
    if not info.get("aof_enabled"):
        yield f"{server} has no append-only file: a restart loses jobs. Set appendonly yes"


def _skew(server: str, server_time: float, local_time: float) -> list[str]:
    """Compare a server's clock with this process's, which was read before the request."""
    skew = server_time - local_time
    elapsed = time.time() - local_time
    if -MAX_CLOCK_SKEW <= skew <= MAX_CLOCK_SKEW + elapsed:
        return []
    direction = "ahead of" if skew > 0 else "behind"
    return [f"{server} has a clock that is {abs(skew):.0f} s {direction} ours. Run NTP on both"]
