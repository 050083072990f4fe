import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.control import QueueLimits
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from app.workers.context import JobContext
from tests.core.control.jobs import Paint, working
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


UNLIMITED = QueueLimits(paused=False, rate=None, concurrency=None)


class Painter:
    """A handler that records the start of each job, the jobs at once, and the finished jobs."""

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

        await wait_until(done)


async def test_limits_are_returned_and_removed(resources: Resources) -> None:
    assert await control.queue_limits(resources.queues, BASE) == UNLIMITED

    await control.pause(resources.queues, BASE)
    await control.set_rate(resources.queues, BASE, 2.5)
    limits = await control.set_concurrency(resources.queues, BASE, 3)
    assert limits == QueueLimits(paused=True, rate=2.5, concurrency=3)
    assert await control.queue_limits(resources.queues, EMAIL) == UNLIMITED

    await control.resume(resources.queues, BASE)
    await control.set_rate(resources.queues, BASE, None)
    assert await control.set_concurrency(resources.queues, BASE, None) == UNLIMITED


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
async def test_a_rate_is_above_zero(resources: Resources, rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        await control.set_rate(resources.queues, BASE, rate)


async def test_a_concurrency_is_at_least_one(resources: Resources) -> None:
    with pytest.raises(ValueError, match="at least 1 job"):
        await control.set_concurrency(resources.queues, BASE, 0)


async def is_listening(resources: Resources) -> bool:
    """Return whether the worker has taken the last wakeup."""
    return not await resources.queues[BASE].exists(KEYS.wake)


async def test_a_paused_queue_starts_no_job_until_it_is_resumed(resources: Resources) -> None:
    painter = Painter()
    await control.pause(resources.queues, BASE)
    async with working(resources, painter):
        await resources.queues.send(Paint())
        for _ in range(2):  # the worker listens again after it has checked the queue
            await wait_until(lambda: is_listening(resources))
            await control.pause(resources.queues, BASE)  # sends a wakeup, as every change does
        assert painter.begun == []

        await control.resume(resources.queues, BASE)
        await painter.has_done(1)


@pytest.mark.timing
async def test_a_resumed_queue_starts_its_jobs_at_once(resources: Resources) -> None:
    painter = Painter()
    await control.pause(resources.queues, BASE)
    await resources.queues.send(Paint())
    async with working(resources, painter):
        await wait_until(lambda: is_listening(resources))

        resumed = time.monotonic()
        await control.resume(resources.queues, BASE)
        await painter.has_done(1)

    assert painter.begun[0] - resumed < 0.5


async def test_a_rate_limit_holds_for_all_workers_together(resources: Resources) -> None:
    per_second, jobs = 20, 8
    assert await seconds_of(jobs, resources, per_second) > 0.9 * (jobs - 1) / per_second


@pytest.mark.timing
async def test_a_rate_limit_is_fully_used(resources: Resources) -> None:
    per_second, jobs = 20, 8
    assert await seconds_of(jobs, resources, per_second) < 3 * jobs / per_second


async def seconds_of(jobs: int, resources: Resources, per_second: float) -> float:
    """Run jobs on two workers at a limited rate, and return the seconds between the starts."""
    painter = Painter()
    await control.set_rate(resources.queues, BASE, per_second)
    for _ in range(jobs):
        await resources.queues.send(Paint())

    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(working(resources, painter))
        await painter.has_done(jobs)

    return painter.begun[-1] - painter.begun[0]


async def test_a_concurrency_limit_holds_for_both_workers_together(resources: Resources) -> None:
    painter = await paint_with_two_workers(resources, jobs=12, concurrency=2)
    assert painter.busiest == 2


@pytest.mark.timing
async def test_under_a_concurrency_limit_the_next_job_starts_as_soon_as_one_ends(
    resources: Resources,
) -> None:
    painter = await paint_with_two_workers(resources, jobs=12, concurrency=2)
    assert painter.begun[-1] - painter.begun[0] < 1


async def paint_with_two_workers(resources: Resources, *, jobs: int, concurrency: int) -> Painter:
    """Run jobs of a queue with a concurrency limit, and return their painter."""
    painter = Painter()
    await control.set_concurrency(resources.queues, BASE, concurrency)
    for _ in range(jobs):
        await resources.queues.send(Paint())

    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(working(resources, painter))
        await painter.has_done(jobs)

    return painter
