import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import ResponseError

from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pool
from app.core.worker.engine.leases import Leases, Reply
from app.core.worker.engine.wakeup import Listener, Wakeup
from app.schemas.jobs import BuildSignupReport
from tests.support.waiting import stall_limit

KEYS = QueueKeys(BASE)
JOB = BuildSignupReport()

LONG = 20.0
"""Seconds that no test waits for, because something else ends the wait."""


@pytest.fixture
def wakeup() -> Wakeup:
    return Wakeup()


@pytest.fixture
async def listener(queues: QueuePools, wakeup: Wakeup) -> AsyncIterator[Listener]:
    listener = Listener(Leases(queues[BASE], "ours"), wakeup)
    yield listener
    await listener.close()


async def notification(wakeup: Wakeup) -> None:
    async with stall_limit("a notification"):
        await wakeup.wait(None)


async def reply_of(listener: Listener, wakeup: Wakeup) -> Reply:
    await notification(wakeup)
    reply = listener.take()
    assert reply is not None
    return reply


async def test_a_worker_that_waits_claims_a_job_as_soon_as_it_is_sent(
    queues: QueuePools, listener: Listener, wakeup: Wakeup
) -> None:
    listener.start(free=2, busy=0, seconds=LONG)
    job_id = await queues.send(JOB)

    reply = await reply_of(listener, wakeup)

    assert [claim.job_id for claim in reply.claims] == [str(job_id)]
    assert not listener.is_listening


async def test_a_worker_that_nothing_wakes_looks_at_its_queue_by_itself(
    queues: QueuePools, listener: Listener, wakeup: Wakeup
) -> None:
    job_id = await queues.send(JOB)
    await queues[BASE].delete(KEYS.wake)

    listener.start(free=2, busy=0, seconds=0.05)

    reply = await reply_of(listener, wakeup)
    assert [claim.job_id for claim in reply.claims] == [str(job_id)]


async def test_a_reply_that_was_not_taken_yet_is_not_lost_when_the_worker_listens_again(
    queues: QueuePools, listener: Listener, wakeup: Wakeup
) -> None:
    """The reply can arrive after the worker has checked for it and before it waits."""
    listener.start(free=2, busy=0, seconds=LONG)
    job_id = await queues.send(JOB)
    await notification(wakeup)

    listener.start(free=2, busy=0, seconds=LONG)

    reply = listener.take()
    assert reply is not None
    assert [claim.job_id for claim in reply.claims] == [str(job_id)]


async def test_a_worker_can_interrupt_its_wait(
    queues: QueuePools, listener: Listener, wakeup: Wakeup
) -> None:
    job_id = await queues.send(JOB)
    await queues[BASE].delete(KEYS.wake)
    listener.start(free=2, busy=0, seconds=LONG)

    await listener.interrupt()

    reply = await reply_of(listener, wakeup)
    assert [claim.job_id for claim in reply.claims] == [str(job_id)]


async def test_a_job_that_is_claimed_while_the_worker_stops_is_not_lost(
    queues: QueuePools, listener: Listener
) -> None:
    job_id = await queues.send(JOB)
    await queues[BASE].delete(KEYS.wake)
    listener.start(free=2, busy=0, seconds=LONG)

    reply = await listener.close()

    assert reply is not None
    assert [claim.job_id for claim in reply.claims] == [str(job_id)]


async def test_a_wakeup_token_of_a_wrong_type_is_an_error_and_not_an_endless_loop(
    queues: QueuePools, listener: Listener, wakeup: Wakeup
) -> None:
    await queues[BASE].set(KEYS.wake, "no list")
    listener.start(free=2, busy=0, seconds=LONG)

    await notification(wakeup)

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        listener.take()


class StubbornPool(ConnectionPool):
    """A pool whose connections lose a cancellation while they connect, as redis-py's can."""

    def make_connection(self) -> "StubbornConnection":
        return StubbornConnection()


class StubbornConnection:
    async def connect(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()


async def test_a_listener_stops_although_its_connection_loses_the_cancellation(
    settings: Settings, wakeup: Wakeup
) -> None:
    redis = open_pool(BASE, settings)
    redis.connection_pool = StubbornPool(**redis.connection_pool.connection_kwargs)
    listener = Listener(Leases(redis, "ours"), wakeup)
    listener.start(free=1, busy=0, seconds=1)
    await asyncio.sleep(0)

    async with stall_limit("the end of the listener"):
        assert await listener.close() is None
