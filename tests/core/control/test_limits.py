import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from app.core import control
from app.core.control import QueueLimits
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.conftest import until
from tests.core.control.jobs import Paint, working

UNLIMITED = QueueLimits(paused=False, rate=None, concurrency=None)


class Painter:
    """Notes when each begins, how many paint at once, and how many are done."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.busy = self.busiest = self.done = 0

    async def __call__(self, _: JobContext, __: Paint) -> None:
        self.begun.append(time.monotonic())
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0.02)
        self.busy -= 1
        self.done += 1

    async def has_done(self, jobs: int) -> None:
        async def done() -> bool:
            return self.done >= jobs

        await until(done)


async def test_limits_are_told_and_lifted(resources: Resources) -> None:
    assert await control.queue_limits(resources, BASE) == UNLIMITED

    await control.pause(resources, BASE)
    await control.set_rate(resources, BASE, 2.5)
    limits = await control.set_concurrency(resources, BASE, 3)
    assert limits == QueueLimits(paused=True, rate=2.5, concurrency=3)
    assert await control.queue_limits(resources, EMAIL) == UNLIMITED

    await control.resume(resources, BASE)
    await control.set_rate(resources, BASE, None)
    assert await control.set_concurrency(resources, BASE, None) == UNLIMITED


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
async def test_a_rate_is_more_than_nothing(resources: Resources, rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        await control.set_rate(resources, BASE, rate)


async def test_a_concurrency_is_more_than_nothing(resources: Resources) -> None:
    with pytest.raises(ValueError, match="from 1"):
        await control.set_concurrency(resources, BASE, 0)


async def test_a_paused_queue_begins_nothing_until_it_is_resumed(resources: Resources) -> None:
    painter = Painter()
    redis, wake = resources.queues[BASE], f"{BASE.key}:wake"

    async def has_been_rung() -> bool:
        return not await redis.exists(wake)

    await control.pause(resources, BASE)
    async with working(resources, painter):
        await resources.queues.send(Paint())
        for _ in range(2):  # the worker listens again when it has looked at the queue
            await until(has_been_rung)
            await control.pause(resources, BASE)  # rings, as every change does
        assert painter.begun == []

        resumed = time.monotonic()
        await control.resume(resources, BASE)
        await painter.has_done(1)
    assert painter.begun[0] - resumed < 0.5


async def test_a_rate_holds_over_all_workers(resources: Resources) -> None:
    painter, per_second, jobs = Painter(), 20, 8
    await control.set_rate(resources, BASE, per_second)
    for _ in range(jobs):
        await resources.queues.send(Paint())

    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(working(resources, painter))
        await painter.has_done(jobs)

    took = painter.begun[-1] - painter.begun[0]
    assert took > 0.9 * (jobs - 1) / per_second
    assert took < 3 * jobs / per_second


async def test_a_concurrency_holds_over_all_workers(resources: Resources) -> None:
    painter, jobs = Painter(), 12
    await control.set_concurrency(resources, BASE, 2)
    for _ in range(jobs):
        await resources.queues.send(Paint())

    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(working(resources, painter))
        await painter.has_done(jobs)

    assert painter.busiest == 2
