import asyncio

import pytest

from app.core.worker.execution.deadlines import Deadlines


async def sleep_within(deadlines: Deadlines, seconds: float, sleep: float) -> None:
    with deadlines.within(seconds):
        await asyncio.sleep(sleep)


async def test_a_job_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(TimeoutError):
        await sleep_within(Deadlines(), 0.01, 10)


async def test_many_jobs_share_one_timer_and_each_has_its_own_deadline() -> None:
    deadlines = Deadlines()
    limits = [10, 0.02, 0.01, 10]

    endings = await asyncio.gather(
        *(sleep_within(deadlines, limit, 0.1) for limit in limits), return_exceptions=True
    )

    assert [type(ending) for ending in endings] == [
        type(None),
        TimeoutError,
        TimeoutError,
        type(None),
    ]


async def test_an_earlier_deadline_is_met_although_a_later_one_came_first() -> None:
    deadlines = Deadlines()
    later = asyncio.create_task(sleep_within(deadlines, 30, 0.05))
    await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await sleep_within(deadlines, 0.01, 10)
    await later


async def test_a_job_in_time_is_not_stopped_later() -> None:
    deadlines = Deadlines()
    await sleep_within(deadlines, 0.02, 0)

    await asyncio.sleep(0.05)

    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_canceled_job_is_not_a_timeout() -> None:
    task = asyncio.create_task(sleep_within(Deadlines(), 10, 10))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_timeout_of_the_handler_itself_ends_before_the_deadline() -> None:
    deadlines = Deadlines()
    with deadlines.within(10):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        await asyncio.sleep(0)
