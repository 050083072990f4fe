"""The measures. Each returns lines of a table, with the name and the value of a figure."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.waiting.stage import Stage

KEY = "arq:queue:base"
WARM_UP, JOBS = 50, 500
WINDOW = 60
RATE, START_UP = 500, 5
"""Jobs per second of a steady load, and its first seconds, which do not count: the sender opens its
connections, and jobs wait for that. In a short phase, they would be most of its slowest jobs."""

AUTOVACUUM = 75.0
"""Seconds after which autovacuum has run, because it runs every minute."""

PROBED_BEFORE = 5.0
MIB = 2**20

Lines = dict[str, float]


async def far_future(on: Stage, jobs: int) -> Lines:
    """Measure the cost of jobs that are due in 30 days, and their effect on other jobs."""
    alone = await pickup(on)
    memory = await on.redis_bytes()
    await on.insert(jobs, "30 days")
    await settle(on)
    before, began = await on.usage(), time.monotonic()
    await asyncio.sleep(WINDOW)
    after, seconds = await on.usage(), time.monotonic() - began
    lines = {
        "jobs due in 30 days: row updates": (after.updates - before.updates) / seconds,
        "jobs due in 30 days: WAL": (after.wal_bytes - before.wal_bytes) / seconds / 1000,
        "jobs due in 30 days: processor of worker, PostgreSQL, and Redis": 100
        * (after.cpu_seconds - before.cpu_seconds)
        / seconds,
        "jobs due in 30 days: Redis memory": (await on.redis_bytes() - memory) / MIB,
    }
    beside = quantile(await pickup(on), 0.99)
    await on.empty()
    # Measured again, because other work on the machine changes from minute to minute.
    without = quantile([*alone, *await pickup(on)], 0.99)
    return lines | {
        "jobs due in 30 days: pickup p99 of others, without them": without,
        "jobs due in 30 days: pickup p99 of others, beside them": beside,
        "jobs due in 30 days: ratio of the two": beside / without,
    }


async def scheduled(on: Stage, jobs: int) -> Lines:
    """Measure how late jobs start if many are due within one minute."""
    count = max(100, jobs // 100)
    await pickup(on)
    await on.send("scheduled", str(count), "60")
    delays = await on.delays(count)
    return {
        "jobs due within a minute: start delay, p50": quantile(delays, 0.5),
        "jobs due within a minute: start delay, p99": quantile(delays, 0.99),
    }


async def never_sent(on: Stage, jobs: int) -> Lines:  # noqa: ARG001  one is enough
    """Measure when a job is sent after its sender died between the commit and the send."""
    await pickup(on)
    seconds = []
    for late in (False, True):
        async with on.database.transaction():
            await on.insert(1, None)
            await asyncio.sleep(12 if late else 0)
        began = time.monotonic()
        await on.delays(1)
        seconds.append(time.monotonic() - began)
    return {
        "sender killed: first try after the commit": seconds[0],
        "sender killed: after the commit of a 12 s transaction": seconds[1],
    }


async def emptied_redis(on: Stage, jobs: int) -> Lines:
    """Measure when the first job runs after a FLUSHALL, and when all jobs are back."""
    await on.pause()
    await on.insert(jobs, None)
    while await on.redis.zcard(KEY) < jobs:
        await asyncio.sleep(0.5)
    await on.redis.flushall()
    began = time.monotonic()
    while not await on.started():
        await asyncio.sleep(0.01)
    first = time.monotonic() - began
    await on.pause()
    while await on.redis.zcard(KEY) < await on.database.fetchval("SELECT count(*) FROM outbox"):
        await asyncio.sleep(1)
    return {
        "FLUSHALL: first job runs after": first,
        "FLUSHALL: all are back after": time.monotonic() - began,
    }


async def held_snapshot(on: Stage, jobs: int) -> Lines:
    """Measure the effect of a transaction that idles for minutes while jobs come and go."""
    seconds = round(600 * jobs / 1_000_000)
    await steady_pickup(on, START_UP)
    slow_at_first = on.slow_statements()
    before = await steady_pickup(on, min(WINDOW, seconds))
    slow_before = on.slow_statements() - slow_at_first
    async with on.database.transaction(isolation="repeatable_read"):
        await on.database.fetchval("SELECT count(*) FROM outbox")
        during = await steady_pickup(on, seconds)
    slow_meanwhile = on.slow_statements() - slow_before - slow_at_first
    await asyncio.sleep(AUTOVACUUM)
    size = await on.outbox_bytes()
    await on.send("steadily", str(RATE), str(10_000 // RATE))
    await on.delays(10_000)
    growth = await on.outbox_bytes() - size
    return {
        "held snapshot: length": seconds / 60,
        "held snapshot: pickup p99 before": quantile(before, 0.99),
        "held snapshot: pickup p99 meanwhile": quantile(during, 0.99),
        "held snapshot: ratio of the two": quantile(during, 0.99) / quantile(before, 0.99),
        "held snapshot: statements over 50 ms in the minute before": slow_before,
        "held snapshot: statements over 50 ms": slow_meanwhile,
        "held snapshot: table and indexes afterwards": size / MIB,
        "held snapshot: their growth with the next 10,000 jobs": growth / MIB,
    }


async def one_transaction(on: Stage, jobs: int) -> Lines:
    """Measure many jobs in one transaction, and the delays of other requests meanwhile."""
    await on.stop_worker()
    felt = await on.send("at_once", str(jobs // 10), str(min(PROBED_BEFORE, jobs / 10_000)))
    await on.start_worker()
    return {
        "one transaction: duration": felt["seconds"],
        "one transaction: another request p99, before": 1000 * felt["before"],
        "one transaction: another request p99, meanwhile": 1000 * felt["during"],
        "one transaction: ratio of the two": felt["during"] / felt["before"],
    }


MEASURES: dict[str, Callable[[Stage, int], Awaitable[Lines]]] = {
    "far_future": far_future,
    "scheduled": scheduled,
    "never_sent": never_sent,
    "emptied_redis": emptied_redis,
    "held_snapshot": held_snapshot,
    "one_transaction": one_transaction,
}


async def pickup(on: Stage) -> list[float]:
    """Return the ms that jobs wait for an idle worker."""
    await on.send("one_by_one", str(WARM_UP))
    await on.delays(WARM_UP)
    await on.send("one_by_one", str(JOBS))
    return await on.delays(JOBS)


async def steady_pickup(on: Stage, seconds: int) -> list[float]:
    """Return the ms that jobs wait for the worker during a steady load."""
    seconds += START_UP
    await on.send("steadily", str(RATE), str(seconds))
    return (await on.delays(RATE * seconds))[RATE * START_UP :]


async def settle(on: Stage) -> None:
    """Wait until Redis has the jobs that belong there, and vacuum the new rows."""
    known = -1
    while known != (known := await on.redis.zcard(KEY)):
        await asyncio.sleep(10)
    await on.database.execute(
        "VACUUM ANALYZE outbox"
    )  # otherwise, autovacuum runs during the measurement


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]
