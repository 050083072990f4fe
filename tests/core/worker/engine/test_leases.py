"""The guarantees of the scripts on a real server: which worker gets and may finish a job."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, cast
from uuid import UUID

import pytest
from arq.utils import timestamp_ms

from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.queue import BASE, QueuePools, to_message
from app.core.redis import open_pool
from app.core.worker.claims import Claim, Outcome
from app.core.worker.engine.leases import LEASE, MAX_BATCH, Leases, Reply
from app.schemas.jobs import BuildSignupReport
from dev.valkey import valkey
from tests.support.redis import set_hash_field

KEYS = QueueKeys(BASE)


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
    """Give a job back, and return the rejected ids."""
    return (await leases.exchange([Outcome(claimed, kind, number, b"{}")], free=0, busy=0)).refused


async def take_token(redis: QueueRedis) -> bool:
    """Take the token that would wake a worker, and return whether there was one."""
    return bool(await redis.delete(KEYS.wake))


async def end_lease(redis: QueueRedis, job_id: str) -> None:
    """End the lease of a job as if its worker had crashed."""
    past = timestamp_ms() - 1
    await redis.delete(KEYS.in_progress(job_id))
    await redis.zadd(KEYS.queue, {job_id: past})
    await redis.zadd(KEYS.running, {job_id: past})


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
    left = await redis.pttl(KEYS.in_progress(job_id))
    assert (LEASE - 1) * 1000 < left <= LEASE * 1000


async def test_a_worker_learns_when_the_next_job_is_due(queues: QueuePools, ours: Leases) -> None:
    assert (await ours.exchange([], free=1, busy=0)).next_due is None

    await queues.send(JOB, delay=timedelta(seconds=3))

    next_due = (await ours.exchange([], free=1, busy=0)).next_due
    assert next_due is not None
    assert 2 < next_due < 3.1


async def test_the_job_of_a_crashed_worker_comes_back_and_keeps_its_try(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    [lost] = await claim(ours)
    await end_lease(redis, lost.job_id)

    [again] = await claim(theirs)

    assert (again.job_id, again.tries, again.crashes) == (lost.job_id, 1, 1)


async def test_a_late_outcome_is_refused_once_another_worker_has_the_job(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    [late] = await claim(ours)
    await end_lease(redis, late.job_id)
    [current] = await claim(theirs)

    assert await finish(ours, late) == [late.job_id]
    assert not await redis.exists(KEYS.result(late.job_id))
    assert await finish(theirs, current) == []
    assert await finish(ours, late) == [late.job_id]


async def test_a_late_outcome_is_accepted_while_no_other_worker_has_the_job(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.send(JOB)
    [late] = await claim(ours)
    await end_lease(redis, late.job_id)

    assert await finish(ours, late) == []
    assert await claim(ours) == []


async def test_a_finished_job_leaves_nothing_but_its_result(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB, priority=3)
    [claimed] = await claim(ours)
    await finish(ours, claimed)

    kept = {key.decode() for key in cast("list[bytes]", await redis.keys("*"))}
    minute = KEYS.counter("succeeded", "")
    assert {key for key in kept if not key.startswith(minute)} == {
        KEYS.result(job_id),
        KEYS.clock,
        KEYS.health_check,
        KEYS.wake,
    }


async def test_more_outcomes_than_one_script_can_take_are_reported_together(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    count = 3 * MAX_BATCH
    await queues.post([to_message(JOB) for _ in range(count)])
    claims: list[Claim] = []
    while len(claims) < count:
        claims += await claim(ours, free=count - len(claims))

    reply = await ours.exchange([Outcome(each, "succeeded") for each in claims], free=1, busy=0)

    assert reply.refused == []
    assert await redis.zcard(KEYS.queue) == 0


async def test_the_next_try_of_a_failed_job_comes_after_its_pause(
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


async def test_a_job_that_runs_again_no_longer_waits_for_its_next_try(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.send(JOB)
    [first] = await claim(ours)
    await finish(ours, first, "retry", 0)
    assert await redis.zcard(KEYS.retrying) == 1

    await claim(ours)
    assert await redis.zcard(KEYS.retrying) == 0


async def test_only_a_job_that_is_retried_has_a_counter_of_its_tries(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    """Most jobs have one try, and a key for each would take a tenth of the time of Redis."""
    job_id = await queues.send(JOB)
    [first] = await claim(ours)
    assert not await redis.exists(KEYS.retry(job_id))

    await finish(ours, first, "release", 0)
    [again] = await claim(ours)
    assert not await redis.exists(KEYS.retry(job_id))

    await finish(ours, again, "retry", 0)
    assert await redis.get(KEYS.retry(job_id)) == b"1"


async def test_a_crash_costs_no_try_if_an_earlier_release_has_counted_it(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    """Version 0.1.0 counts a try when it starts, and this version when it is over."""
    job_id = await queues.send(JOB)
    [lost] = await claim(ours)
    await redis.incr(KEYS.retry(job_id))
    await end_lease(redis, lost.job_id)

    [again] = await claim(theirs)
    await finish(theirs, again, "retry", 0)
    [second] = await claim(theirs)

    assert (again.tries, second.tries) == (1, 2)


async def test_a_job_that_is_sent_twice_runs_once(queues: QueuePools, ours: Leases) -> None:
    envelope = to_message(JOB)
    await queues.post([envelope, envelope])
    [claimed] = await claim(ours)
    await queues.post([envelope])
    assert await claim(ours) == []
    await finish(ours, claimed)
    await queues.post([envelope])
    assert await claim(ours) == []


async def test_a_job_with_priority_overtakes_jobs_that_have_waited_less_but_is_never_early(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    old, plain = await queues.send(JOB), await queues.send(JOB)
    await redis.zincrby(KEYS.queue, -10 * 60_000, str(old))
    urgent = await queues.send(JOB, priority=5)
    later = await queues.send(JOB, priority=500, delay=timedelta(hours=1))

    order = [UUID(each.job_id) for each in await claim(ours)]

    assert order == [old, urgent, plain]
    assert (await redis.zscore(KEYS.queue, str(later)) or 0) > timestamp_ms()


async def test_a_scheduled_job_uses_its_priority_once_it_is_due(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    plain = await queues.send(JOB)
    urgent = await queues.send(JOB, priority=5, delay=timedelta(hours=1))
    for key in (KEYS.queue, KEYS.later):
        await redis.zadd(key, {str(urgent): timestamp_ms() - 1})

    assert [UUID(each.job_id) for each in await claim(ours)] == [urgent, plain]


async def test_a_paused_queue_hands_out_no_job_and_loses_none(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await set_hash_field(redis, KEYS.limits, "paused", "1")
    await queues.send(JOB)
    assert await claim(ours) == []

    await redis.delete(KEYS.limits)
    assert len(await claim(ours)) == 1


async def test_a_concurrency_limit_holds_for_all_workers_together(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await set_hash_field(redis, KEYS.limits, "concurrency", 3)
    for _ in range(5):
        await queues.send(JOB)

    first = await claim(ours, free=2)
    assert (len(first), len(await claim(theirs, free=5))) == (2, 1)
    await finish(ours, first[0])
    assert len(await claim(theirs, free=5)) == 1


async def test_a_rate_limit_bounds_the_jobs_per_second(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await set_hash_field(redis, KEYS.limits, "rate", 20)
    for _ in range(10):
        await queues.send(JOB)

    asked = timestamp_ms()
    assert len(await claim(ours)) == 1
    reply = await theirs.exchange([], free=5, busy=0)
    while not reply.claims:
        assert reply.next_due is not None
        assert 0 < reply.next_due <= 0.05
        await asyncio.sleep(reply.next_due)
        reply = await theirs.exchange([], free=5, busy=0)

    [second] = reply.claims
    assert second.claimed_ms - asked >= 50


async def crash(redis: QueueRedis, leases: Leases, times: int) -> str:
    """Let the only job crash a number of workers."""
    for _ in range(times):
        [claimed] = await claim(leases)
        await end_lease(redis, claimed.job_id)
    return claimed.job_id


async def test_a_job_that_crashed_two_workers_waits_until_it_can_run_solo(
    queues: QueuePools, redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await queues.send(JOB)
    suspect = await crash(redis, ours, 2)
    innocent = await queues.send(JOB)

    busy = await ours.exchange([], free=5, busy=1)
    assert (busy.solo, busy.claims) == (suspect, [])
    assert [UUID(each.job_id) for each in await claim(theirs, busy=1)] == [innocent]

    idle = await ours.exchange([], free=1, busy=0, solo=suspect)
    assert [(each.job_id, each.crashes) for each in idle.claims] == [(suspect, 2)]
    assert idle.solo == suspect


async def test_a_claim_says_how_many_workers_a_job_has_crashed(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.send(JOB)
    await crash(redis, ours, 3)

    [claimed] = await claim(ours)

    assert (claimed.crashes, claimed.tries) == (3, 1)


async def test_a_job_that_a_stock_arq_worker_runs_is_not_claimed(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB)
    await redis.set(KEYS.in_progress(job_id), "1", px=60_000)
    other = await queues.send(JOB)

    assert [UUID(each.job_id) for each in await claim(ours)] == [other]


async def test_a_job_whose_payload_is_missing_is_claimed_without_one(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB)
    await redis.delete(KEYS.job(job_id))

    assert [each.payload for each in await claim(ours)] == [None]


async def test_keys_of_a_wrong_type_do_not_stop_the_queue(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    job_id = await queues.send(JOB)
    for key in (KEYS.job(job_id), KEYS.retry(job_id), KEYS.in_progress(job_id)):
        await redis.delete(key)
        await redis.zadd(key, {"x": 1})

    [first] = await claim(ours)
    assert (first.payload, first.tries) == (None, 1)

    await finish(ours, first, "retry", 0)
    assert [each.tries for each in await claim(ours)] == [2]


async def test_a_clock_that_is_set_back_delays_no_job(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    """A test cannot set the clock of the server, but it can change the stored last time."""
    jump = 2 * 3_600_000
    running, waiting = await queues.send(JOB), await queues.send(JOB)
    await claim(ours, free=1)
    for job_id in (running, waiting):
        await redis.zincrby(KEYS.queue, jump, str(job_id))
    await redis.zincrby(KEYS.running, jump, str(running))
    await redis.set(KEYS.clock, timestamp_ms() + jump)

    assert [UUID(each.job_id) for each in await claim(ours)] == [waiting]
    end = await redis.zscore(KEYS.queue, str(running)) or 0
    assert 0 < end - timestamp_ms() <= LEASE * 1000


async def test_a_restarted_server_is_given_the_scripts_again(
    settings: Settings, tmp_path: Path
) -> None:
    """The test has its own server, because other tests count the round trips to the shared one."""
    with valkey(tmp_path, durable=False) as url:
        redis = open_pool(BASE, settings.model_copy(update={"queue_redis_urls": {"base": url}}))
        queues, ours = QueuePools({BASE: redis}), Leases(redis, "ours")
        await queues.send(JOB)
        [first] = await claim(ours)
        await redis.script_flush()
        await queues.send(JOB)
        await redis.script_flush()

        reply = await ours.exchange([Outcome(first, "succeeded")], free=1, busy=0)
        await redis.aclose(close_connection_pool=True)

    assert (len(reply.claims), reply.refused) == (1, [])


async def test_a_worker_that_cannot_take_all_jobs_wakes_another(
    queues: QueuePools, redis: QueueRedis, ours: Leases
) -> None:
    await queues.post([to_message(JOB), to_message(JOB)])
    assert await take_token(redis)

    await claim(ours, free=1)
    assert await take_token(redis)
    await claim(ours, free=1)
    assert not await take_token(redis)


async def test_every_worker_learns_which_jobs_are_canceled(
    redis: QueueRedis, ours: Leases, theirs: Leases
) -> None:
    await redis.zadd(KEYS.abort, {"7": timestamp_ms()})

    replies: list[Reply] = [await each.exchange([], free=0, busy=0) for each in (ours, theirs)]
    assert [reply.cancelled for reply in replies] == [["7"], ["7"]]


@pytest.mark.parametrize("priority", [-1, 40_000])
def test_a_priority_is_a_number_of_minutes(priority: int) -> None:
    with pytest.raises(ValueError, match="a number from 0 to"):
        to_message(JOB, priority=priority)


def test_a_scheduled_job_may_have_a_priority() -> None:
    when = datetime.now(UTC) + timedelta(hours=1)

    assert to_message(JOB, at=when, priority=3).due_at == when
