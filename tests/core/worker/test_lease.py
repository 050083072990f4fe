"""What the scripts promise, on a real server: who is given which job, and who is heard."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import pytest
from arq.utils import timestamp_ms

from app.core.queue import BASE, QueuePools, address
from app.core.queue_redis import QueueRedis
from app.core.worker.claims import Claim, Outcome
from app.core.worker.lease import LEASE, MOST_AT_ONCE, Leases, Reply
from app.schemas.jobs import BuildSignupReport

JOB = BuildSignupReport()


@pytest.fixture
def redis(queues: QueuePools) -> QueueRedis:
    return queues[BASE]


@pytest.fixture
def ours(redis: QueueRedis) -> Leases:
    return Leases(redis, "ours")


@pytest.fixture
def theirs(redis: QueueRedis) -> Leases:
    return Leases(redis, "theirs")


async def claim(leases: Leases, free: int = 10, busy: int = 0) -> list[Claim]:
    return (await leases.exchange([], free=free, busy=busy)).claims


async def finish(
    leases: Leases,
    claimed: Claim,
    kind: Literal["succeeded", "failed", "retry", "release"] = "succeeded",
    number: int = 1_000,
) -> list[str]:
    """Give a job back and tell which ids were refused."""
    return (await leases.exchange([Outcome(claimed, kind, number, b"{}")], free=0, busy=0)).refused


async def note(redis: QueueRedis, key: str, field: str, value: object) -> None:
    async with redis.pipeline() as pipe:
        pipe.hset(key, field, str(value))
        await pipe.execute()


async def rung(redis: QueueRedis) -> bool:
    """Tell whether a worker would be woken, and let it be."""
    return bool(await redis.delete(f"{BASE.key}:wake"))


async def die(redis: QueueRedis, job_id: str) -> None:
    """Let the lease of a job end as it does when its worker is no more."""
    past = timestamp_ms() - 1
    await redis.delete(f"arq:in-progress:{job_id}")
    await redis.zadd(BASE.key, {job_id: past})
    await redis.zadd(f"{BASE.key}:running", {job_id: past})


async def test_one_exchange_fills_all_free_slots_oldest_first(
    queues: QueuePools, ours: Leases
) -> None:
    sent = [await queues.send(JOB) for _ in range(5)]

    first, rest = await claim(ours, free=3), await claim(ours)

    assert [UUID(each.job_id) for each in first + rest] == sent
    assert {(each.tries, each.crashes) for each in first} == {(1, 0)}


async def test_a_job_belongs_to_one_worker_for_the_length_of_its_lease(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    job_id = await queues.send(JOB)
    await claim(ours)

    assert await claim(theirs) == []
    left = await redis.pttl(f"arq:in-progress:{job_id}")
    assert (LEASE - 1) * 1000 < left <= LEASE * 1000


async def test_the_next_job_is_told_in_time(queues: QueuePools, ours: Leases) -> None:
    assert (await ours.exchange([], free=1, busy=0)).next_due is None

    await queues.send(JOB, delay=timedelta(seconds=3))

    next_due = (await ours.exchange([], free=1, busy=0)).next_due
    assert next_due is not None
    assert 2 < next_due < 3.1


async def test_what_a_dead_worker_ran_comes_back_without_losing_a_try(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    [lost] = await claim(ours)
    await die(redis, lost.job_id)

    [again] = await claim(theirs)

    assert (again.job_id, again.tries, again.crashes) == (lost.job_id, 1, 1)


async def test_a_late_worker_is_not_heard_once_another_one_has_the_job(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    [late] = await claim(ours)
    await die(redis, late.job_id)
    [current] = await claim(theirs)

    assert await finish(ours, late) == [late.job_id]
    assert not await redis.exists(f"arq:result:{late.job_id}")
    assert await finish(theirs, current) == []
    assert await finish(ours, late) == [late.job_id]


async def test_a_late_worker_is_heard_while_nobody_else_has_the_job(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.send(JOB)
    [late] = await claim(ours)
    await die(redis, late.job_id)

    assert await finish(ours, late) == []
    assert await claim(ours) == []


async def test_a_finished_job_leaves_nothing_but_its_result(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB, priority=3)
    [claimed] = await claim(ours)
    await finish(ours, claimed)

    kept = {key.decode() for key in await redis.keys("*")}
    minute = f"{BASE.key}:succeeded:"
    assert {key for key in kept if not key.startswith(minute)} == {
        f"arq:result:{job_id}",
        f"{BASE.key}:clock",
        f"{BASE.key}:wake",
    }


async def test_more_than_a_script_can_hold_is_given_back_at_once(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    count = 3 * MOST_AT_ONCE
    await queues.post([address(JOB) for _ in range(count)])
    claims: list[Claim] = []
    while len(claims) < count:
        claims += await claim(ours, free=count - len(claims))

    reply = await ours.exchange([Outcome(each, "succeeded") for each in claims], free=1, busy=0)

    assert reply.refused == []
    assert await redis.zcard(BASE.key) == 0


async def test_a_failed_try_is_followed_by_the_next_one_after_its_pause(
    queues: QueuePools, ours: Leases
) -> None:
    await queues.send(JOB)
    [first] = await claim(ours)

    reply = await ours.exchange([Outcome(first, "retry", 5_000)], free=1, busy=0)
    assert reply.claims == []
    assert reply.next_due is not None
    assert 4 < reply.next_due <= 5


async def test_a_retry_counts_a_try_and_a_release_does_not(
    queues: QueuePools, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    [first] = await claim(ours)
    await finish(ours, first, "retry", 0)
    [second] = await claim(ours)
    await finish(ours, second, "release", 0)
    [third] = await claim(theirs)

    assert (first.tries, second.tries, third.tries) == (1, 2, 2)


async def test_a_job_sent_twice_is_there_once(queues: QueuePools, ours: Leases) -> None:
    envelope = address(JOB)
    await queues.post([envelope, envelope])
    [claimed] = await claim(ours)
    await queues.post([envelope])
    assert await claim(ours) == []
    await finish(ours, claimed)
    await queues.post([envelope])
    assert await claim(ours) == []


async def test_a_priority_overtakes_what_has_waited_less_and_never_comes_early(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    old, plain = await queues.send(JOB), await queues.send(JOB)
    await redis.zincrby(BASE.key, -10 * 60_000, str(old))
    urgent = await queues.send(JOB, priority=5)
    later = await queues.send(JOB, priority=500, delay=timedelta(hours=1))

    order = [UUID(each.job_id) for each in await claim(ours)]

    assert order == [old, urgent, plain]
    assert await redis.zscore(BASE.key, str(later)) > timestamp_ms()


async def test_a_priority_counts_for_a_job_whose_time_has_come(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    plain = await queues.send(JOB)
    urgent = await queues.send(JOB, priority=5, delay=timedelta(hours=1))
    for key in (BASE.key, f"{BASE.key}:later"):
        await redis.zadd(key, {str(urgent): timestamp_ms() - 1})

    assert [UUID(each.job_id) for each in await claim(ours)] == [urgent, plain]


async def test_a_paused_queue_gives_nothing_and_loses_nothing(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await note(redis, f"{BASE.key}:control", "paused", "1")
    await queues.send(JOB)
    assert await claim(ours) == []

    await redis.delete(f"{BASE.key}:control")
    assert len(await claim(ours)) == 1


async def test_a_queue_runs_no_more_at_once_than_it_may_however_many_workers(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await note(redis, f"{BASE.key}:control", "concurrency", 3)
    for _ in range(5):
        await queues.send(JOB)

    first = await claim(ours, free=2)
    assert (len(first), len(await claim(theirs, free=5))) == (2, 1)
    await finish(ours, first[0])
    assert len(await claim(theirs, free=5)) == 1


async def test_a_queue_starts_no_more_a_second_than_it_may(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await note(redis, f"{BASE.key}:control", "rate", 20)
    for _ in range(10):
        await queues.send(JOB)

    assert len(await claim(ours)) == 1
    reply = await theirs.exchange([], free=5, busy=0)
    assert reply.claims == []
    assert reply.next_due is not None
    assert 0 < reply.next_due <= 0.05
    await asyncio.sleep(reply.next_due)
    assert len(await claim(theirs)) == 1


async def crash(redis: QueueRedis, leases: Leases, times: int) -> str:
    """Let the only job take its worker along so many times."""
    for _ in range(times):
        [claimed] = await claim(leases)
        await die(redis, claimed.job_id)
    return claimed.job_id


async def test_a_job_that_took_two_workers_along_waits_until_a_worker_has_nothing_to_lose(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    suspect = await crash(redis, ours, 2)
    innocent = await queues.send(JOB)

    busy = await ours.exchange([], free=5, busy=1)
    assert (busy.alone, busy.claims) == (suspect, [])
    assert [UUID(each.job_id) for each in await claim(theirs, busy=1)] == [innocent]

    idle = await ours.exchange([], free=1, busy=0, wanted=suspect)
    assert [(each.job_id, each.crashes) for each in idle.claims] == [(suspect, 2)]
    assert idle.alone == suspect


async def test_a_job_that_took_three_workers_along_says_so(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.send(JOB)
    await crash(redis, ours, 3)

    [claimed] = await claim(ours)

    assert (claimed.crashes, claimed.tries) == (3, 1)


async def test_a_job_that_a_stock_worker_runs_is_left_to_it(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB)
    await redis.set(f"arq:in-progress:{job_id}", "1", px=60_000)
    other = await queues.send(JOB)

    assert [UUID(each.job_id) for each in await claim(ours)] == [other]


async def test_a_job_without_a_payload_is_handed_out_as_such(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB)
    await redis.delete(f"arq:job:{job_id}")

    assert [each.payload for each in await claim(ours)] == [None]


async def test_keys_of_a_wrong_kind_do_not_stop_the_queue(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB)
    for key in (f"arq:job:{job_id}", f"arq:retry:{job_id}", f"arq:in-progress:{job_id}"):
        await redis.delete(key)
        await redis.zadd(key, {"x": 1})

    assert [(each.payload, each.tries) for each in await claim(ours)] == [(None, 1)]


async def test_a_clock_that_is_put_back_delays_nothing_that_was_due(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    """The server's clock is not ours to move: what it saw last is."""
    jump = 2 * 3_600_000
    running, waiting = await queues.send(JOB), await queues.send(JOB)
    await claim(ours, free=1)
    for job_id in (running, waiting):
        await redis.zincrby(BASE.key, jump, str(job_id))
    await redis.zincrby(f"{BASE.key}:running", jump, str(running))
    await redis.set(f"{BASE.key}:clock", timestamp_ms() + jump)

    assert [UUID(each.job_id) for each in await claim(ours)] == [waiting]
    end = await redis.zscore(BASE.key, str(running))
    assert 0 < end - timestamp_ms() <= LEASE * 1000


async def test_a_restarted_server_is_given_the_scripts_again(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.send(JOB)
    [first] = await claim(ours)
    await redis.script_flush()
    await queues.send(JOB)
    await redis.script_flush()

    reply = await ours.exchange([Outcome(first, "succeeded")], free=1, busy=0)

    assert (len(reply.claims), reply.refused) == (1, [])


async def test_who_cannot_take_all_wakes_another(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.post([address(JOB), address(JOB)])
    assert await rung(redis)

    await claim(ours, free=1)
    assert await rung(redis)
    await claim(ours, free=1)
    assert not await rung(redis)


async def test_what_is_to_be_cancelled_is_told_to_every_worker(
    redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await redis.zadd("arq:abort", {"7": timestamp_ms()})

    replies: list[Reply] = [await each.exchange([], free=0, busy=0) for each in (ours, theirs)]
    assert [reply.cancelled for reply in replies] == [["7"], ["7"]]


@pytest.mark.parametrize("priority", [-1, 40_000])
def test_a_priority_is_a_number_of_minutes(priority: int) -> None:
    with pytest.raises(ValueError, match="a number from 0 to"):
        address(JOB, priority=priority)


def test_a_time_with_a_priority_is_kept() -> None:
    when = datetime.now(UTC) + timedelta(hours=1)

    assert address(JOB, at=when, priority=3).due_at == when
