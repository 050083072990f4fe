import asyncio

from app.core.queue import BASE, QueuePools
from app.core.worker.doorbell import Doorbell

FOR_EVER = 60


async def test_it_is_heard_however_long_nobody_has_rung(queues: QueuePools) -> None:
    doorbell = Doorbell(queues[BASE], timeout=0.1)
    waiting = asyncio.create_task(doorbell.wait(FOR_EVER, listening=True))
    await asyncio.sleep(0.3)  # no event tells that Redis has been asked a second and a third time

    await queues[BASE].lpush(f"{BASE.key}:wake", 1)  # type: ignore[misc]

    await asyncio.wait_for(waiting, 5)
    await doorbell.close()


async def test_a_worker_that_can_take_nothing_leaves_the_token_to_others(
    queues: QueuePools,
) -> None:
    doorbell = Doorbell(queues[BASE], timeout=0.1)
    await doorbell.wait(0.01, listening=True)
    await doorbell.wait(0.3, listening=False)

    await queues[BASE].lpush(f"{BASE.key}:wake", 1)  # type: ignore[misc]

    await doorbell.wait(0.3, listening=False)
    assert await queues[BASE].llen(f"{BASE.key}:wake") == 1  # type: ignore[misc]
    await doorbell.close()
