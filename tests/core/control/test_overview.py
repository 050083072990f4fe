import time
from collections.abc import Sequence
from datetime import timedelta
from typing import cast
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control import Count, Throughput
from app.core.control.row_counts import MAX_COUNT
from app.core.postgres.reader import Reader
from app.core.queue import BASE, EMAIL, QUEUES, QueuePools, Retry
from app.core.redis import open_pools
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.core.control.jobs import (
    MANY_DEAD_LETTERS,
    Paint,
    add_dead_letter,
    cancel,
    describing_itself,
    enqueue,
    enqueue_on_unknown_queue,
    overview_of,
    working,
)
from tests.support.database import fetch_in_turns
from tests.support.ports import CLOSED_PORT
from tests.support.redis import counting_round_trips
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


async def test_an_empty_queue_has_zero_for_every_number(resources: Resources) -> None:
    stats = await overview_of(resources, BASE)

    assert (stats.due, stats.running, stats.scheduled, stats.workers) == (0, 0, Count(0), 0)
    assert (stats.oldest_due_age, stats.dead, stats.outbox) == (None, Count(0), Count(0))
    assert stats.last_minute == stats.last_five_minutes == Throughput(0, 0)


async def test_jobs_are_counted_by_state(resources: Resources) -> None:
    for _ in range(3):
        await enqueue(resources, Paint())
    async with resources.unit_of_work() as uow:
        uow.enqueue(Paint(), delay=timedelta(hours=1))
    await add_dead_letter(resources, Paint())
    await run(resources.queues, seconds=15)
    await run(resources.queues, seconds=-1)  # the worker died, so the job waits again

    stats = await overview_of(resources, BASE)

    assert (stats.due, stats.running, stats.scheduled) == (4, 1, Count(1))
    assert (stats.dead, stats.outbox) == (Count(1), Count(4))
    assert (await overview_of(resources, EMAIL)).outbox == Count(0)


async def run(queues: QueuePools, *, seconds: float) -> None:
    """Claim a job under a lease that ends in this many seconds."""
    end = (time.time() + seconds) * 1000
    for key in (KEYS.queue, KEYS.running):
        await queues[BASE].zadd(key, {f"job {seconds}": end})


async def test_the_overview_asks_each_server_once(
    resources: Resources, connection: AsyncConnection
) -> None:
    statements: list[str] = []

    async def fetch(statement: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        statements.append(statement)
        return await fetch_in_turns(connection, statement, arguments)

    queues = resources.queues
    await control.overview(Reader(fetch), queues)  # Redis learns the script
    async with counting_round_trips(queues[BASE], queues[EMAIL]) as round_trips:
        await control.overview(Reader(fetch), queues)

    assert (len(statements), len(round_trips)) == (2, 2)


async def test_many_rows_are_counted_up_to_a_limit(resources: Resources) -> None:
    async with resources.sessions.begin() as session:
        await session.execute(MANY_DEAD_LETTERS, {"rows": MAX_COUNT + 1})

    seen = await control.overview(resources.reader, resources.queues)

    assert str(seen.dead) == "10,000+"
    assert seen.outbox == Count(0)


async def test_jobs_that_wait_for_their_next_try_are_counted(resources: Resources) -> None:
    async def defer(_: JobContext, __: Paint) -> None:
        raise Retry(defer=60)

    async def is_retrying() -> bool:
        return (await overview_of(resources, BASE)).retrying == 1

    job_id = await resources.queues.send(Paint())
    async with working(resources, defer):
        await wait_until(is_retrying)

    assert (await overview_of(resources, BASE)).scheduled == Count(1)
    await cancel(resources, job_id)
    assert (await overview_of(resources, BASE)).retrying == 0


async def test_a_queue_knows_how_many_jobs_its_workers_can_run(resources: Resources) -> None:
    async with describing_itself(resources, uuid4()):
        assert (await overview_of(resources, BASE)).slots == 5
        await control.set_concurrency(resources.queues, BASE, 3)
        assert (await overview_of(resources, BASE)).slots == 3

    assert (await overview_of(resources, BASE)).slots == 0


async def test_a_queue_that_is_down_does_not_hide_the_others(resources: Resources) -> None:
    down = resources.settings.model_copy(
        update={"queue_redis_urls": {"email": f"redis://127.0.0.1:{CLOSED_PORT}/2"}}
    )
    async with open_pools(down) as queues:
        seen = await control.overview(resources.reader, queues)

    assert [queue.queue for queue in seen.queues] == [
        queue.name for queue in QUEUES if queue is not EMAIL
    ]
    [failure] = seen.unavailable
    assert "email" in str(failure)


async def test_the_age_of_the_oldest_due_job_does_not_depend_on_priority(
    resources: Resources,
) -> None:
    redis = resources.queues[BASE]
    await resources.queues.send(Paint(), priority=1_000)
    await redis.zadd(KEYS.queue, {"old": (time.time() - 120) * 1000})

    stats = await overview_of(resources, BASE)

    assert stats.oldest_due_age == pytest.approx(120, abs=5)


async def test_the_oldest_row_counts_from_when_it_was_due(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        uow.enqueue(Paint(), delay=timedelta(hours=1))
    assert (await overview_of(resources, BASE)).oldest_outbox_age is None

    job_id = await enqueue(resources, Paint())
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE id = :id"),
            {"id": job_id},
        )
    age = (await overview_of(resources, BASE)).oldest_outbox_age
    assert age == pytest.approx(3_600, abs=5)


async def test_jobs_that_ended_are_counted_by_the_minute(resources: Resources) -> None:
    """Only full minutes count. The test moves the counters back by one minute, then by four."""
    ended = []

    async def paint(_: JobContext, job: Paint) -> None:
        ended.append(job)
        if job.color == "red":
            raise ZeroDivisionError

    async def all_have_ended() -> bool:
        return len(ended) == 3 and not await resources.queues[BASE].zcard(KEYS.queue)

    async with working(resources, paint):
        for color in ("red", "blue", "green"):
            await enqueue(resources, Paint(color=color))
        await wait_until(all_have_ended)

    await put_back(resources.queues, minutes=1)
    stats = await overview_of(resources, BASE)
    assert stats.last_minute == stats.last_five_minutes == Throughput(2, 1)

    await put_back(resources.queues, minutes=4)
    stats = await overview_of(resources, BASE)
    assert (stats.last_minute, stats.last_five_minutes) == (Throughput(0, 0), Throughput(2, 1))


async def put_back(queues: QueuePools, *, minutes: int) -> None:
    """Move the counters back by some minutes."""
    for outcome in ("succeeded", "failed"):
        for key in cast("list[bytes]", await queues[BASE].keys(KEYS.counter(outcome, "*"))):
            prefix, _, minute = key.decode().rpartition(":")
            await queues[BASE].rename(key, f"{prefix}:{int(minute) - minutes}")


async def test_jobs_of_a_queue_that_is_not_in_the_code_are_counted(resources: Resources) -> None:
    assert (await control.overview(resources.reader, resources.queues)).unknown == []
    await enqueue(resources, Paint())
    await enqueue_on_unknown_queue(resources)

    [retired] = (await control.overview(resources.reader, resources.queues)).unknown

    assert (retired.queue, retired.dead, retired.outbox) == ("retired", Count(0), Count(1))
    assert retired.oldest_outbox_age == pytest.approx(0, abs=5)
