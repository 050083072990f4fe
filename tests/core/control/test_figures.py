import time
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core import control
from app.core.control import Throughput
from app.core.queue import BASE, EMAIL, QueuePools
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.conftest import until
from tests.core.control.jobs import Paint, bury, enqueue, working


async def test_an_empty_queue_has_nothing_to_tell(resources: Resources) -> None:
    figures = await control.queue_figures(resources, BASE)

    assert (figures.due, figures.running, figures.scheduled, figures.workers) == (0, 0, 0, 0)
    assert (figures.oldest_due_age, figures.dead, figures.outbox) == (None, 0, 0)
    assert figures.last_minute == figures.last_five_minutes == Throughput(0, 0)


async def test_jobs_are_counted_by_how_they_stand(resources: Resources) -> None:
    for _ in range(3):
        await enqueue(resources, Paint())
    async with resources.unit_of_work() as uow:
        uow.enqueue(Paint(), delay=timedelta(hours=1))
    await bury(resources, Paint())
    await run(resources.queues, seconds=15)
    await run(resources.queues, seconds=-1)  # its worker died, so it waits again

    figures = await control.queue_figures(resources, BASE)

    assert (figures.due, figures.running, figures.scheduled) == (4, 1, 1)
    assert (figures.dead, figures.outbox) == (1, 4)
    assert (await control.queue_figures(resources, EMAIL)).outbox == 0


async def run(queues: QueuePools, *, seconds: float) -> None:
    """Let a job be claimed whose lease ends in so many seconds."""
    end = (time.time() + seconds) * 1000
    for key in (BASE.key, f"{BASE.key}:running"):
        await queues[BASE].zadd(key, {f"job {seconds}": end})


async def test_the_age_of_the_oldest_due_job_is_told_whatever_its_priority(
    resources: Resources,
) -> None:
    redis = resources.queues[BASE]
    await resources.queues.send(Paint(), priority=1_000)
    await redis.zadd(BASE.key, {"old": (time.time() - 120) * 1000})

    figures = await control.queue_figures(resources, BASE)

    assert figures.oldest_due_age == pytest.approx(120, abs=5)


async def test_the_oldest_row_counts_from_when_it_was_due(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        uow.enqueue(Paint(), delay=timedelta(hours=1))
    assert (await control.queue_figures(resources, BASE)).oldest_outbox_age is None

    job_id = await enqueue(resources, Paint())
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE id = :id"),
            {"id": job_id},
        )
    age = (await control.queue_figures(resources, BASE)).oldest_outbox_age
    assert age == pytest.approx(3_600, abs=5)


async def test_jobs_that_ended_are_counted_by_the_minute(resources: Resources) -> None:
    """Full minutes only: the current one is put back by a minute here, and then by five."""
    ended = []

    async def paint(_: JobContext, job: Paint) -> None:
        ended.append(job)
        if job.colour == "red":
            raise ZeroDivisionError

    async def all_have_ended() -> bool:
        return len(ended) == 3 and not await resources.queues[BASE].zcard(BASE.key)

    async with working(resources, paint):
        for colour in ("red", "blue", "green"):
            await enqueue(resources, Paint(colour=colour))
        await until(all_have_ended)

    await put_back(resources.queues, minutes=1)
    figures = await control.queue_figures(resources, BASE)
    assert figures.last_minute == figures.last_five_minutes == Throughput(2, 1)

    await put_back(resources.queues, minutes=4)
    figures = await control.queue_figures(resources, BASE)
    assert (figures.last_minute, figures.last_five_minutes) == (Throughput(0, 0), Throughput(2, 1))


async def put_back(queues: QueuePools, *, minutes: int) -> None:
    """Let minutes pass for the counters."""
    for outcome in ("succeeded", "failed"):
        for key in await queues[BASE].keys(f"{BASE.key}:{outcome}:*"):
            prefix, _, minute = key.decode().rpartition(":")
            await queues[BASE].rename(key, f"{prefix}:{int(minute) - minutes}")
