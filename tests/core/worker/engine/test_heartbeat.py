import time

import pytest
from arq.utils import timestamp_ms
from structlog.testing import capture_logs

from app.core.broker.keys import WORKER_LIFETIME, QueueKeys
from app.core.config import Settings
from app.core.control.workers import count_live_workers
from app.core.queue import BASE, EMAIL, QueuePools
from app.core.worker.claims import Claim
from app.core.worker.engine import heartbeat
from tests.support.heartbeat import beating_worker
from tests.support.ports import CLOSED_PORT
from tests.support.waiting import wait_until

KEYS = QueueKeys(BASE)


def claim(token: str) -> Claim:
    return Claim("1", token, b"", tries=1, crashes=0, claimed_ms=timestamp_ms())


async def hold(queues: QueuePools, token: str, *, left: int = 5_000) -> None:
    """Claim a job with a token, with a number of milliseconds left of its lease."""
    redis, end = queues[BASE], timestamp_ms() + left
    await redis.set(KEYS.in_progress(1), f"{token}/{timestamp_ms()}", px=left)
    await redis.zadd(KEYS.queue, {"1": end})
    await redis.zadd(KEYS.running, {"1": end})


async def test_a_worker_is_counted_while_it_sends_heartbeats(
    settings: Settings, queues: QueuePools
) -> None:
    async with (
        beating_worker(BASE, settings, worker_id="a"),
        beating_worker(BASE, settings, worker_id="b"),
    ):
        assert await count_live_workers(queues, BASE) == 2
        assert await count_live_workers(queues, EMAIL) == 0
    assert await count_live_workers(queues, BASE) == 0


async def test_a_worker_that_crashed_is_no_longer_counted(
    settings: Settings, queues: QueuePools
) -> None:
    key = KEYS.workers
    await queues[BASE].zadd(key, {"dead": time.time() - WORKER_LIFETIME - 1})
    assert await count_live_workers(queues, BASE) == 0

    async with beating_worker(BASE, settings):
        assert await queues[BASE].zscore(key, "dead") is None


async def test_a_worker_continues_when_its_heartbeat_fails(settings: Settings) -> None:
    away = settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )

    async with beating_worker(BASE, away) as lost:
        assert lost == []


async def test_a_heartbeat_that_fails_for_any_reason_is_followed_by_the_next(
    settings: Settings, queues: QueuePools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.05)
    failures = iter([LookupError("nothing to say")])

    def describe() -> bytes:
        for failure in failures:
            raise failure
        return b"{}"

    async with beating_worker(BASE, settings, worker_info=describe):

        async def is_counted() -> bool:
            return await count_live_workers(queues, BASE) == 1

        await wait_until(is_counted)


async def test_a_worker_whose_event_loop_is_stuck_does_not_count_and_keeps_no_job(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "a/1")
    before = await queues[BASE].zscore(KEYS.running, "1")
    with capture_logs() as lines:
        async with beating_worker(BASE, settings, holding=[claim("a/1")], stuck=True):
            assert await count_live_workers(queues, BASE) == 0

    assert await queues[BASE].zscore(KEYS.running, "1") == before
    [line] = [line for line in lines if line["event"] == "worker.stuck"]
    assert 'File "' in line["place"]


async def test_a_heartbeat_extends_the_leases_of_the_worker(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "w/1", left=5_000)

    async with beating_worker(BASE, settings, holding=[claim("w/1")]) as lost:
        left = (await queues[BASE].zscore(KEYS.queue, "1") or 0) - timestamp_ms()
        assert await queues[BASE].pttl(KEYS.in_progress(1)) > 10_000

    assert left > 10_000
    assert lost == []


async def test_a_worker_renews_a_lease_that_ended_if_no_other_worker_has_the_job(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "w/1")
    await queues[BASE].delete(KEYS.in_progress(1))

    async with beating_worker(BASE, settings, holding=[claim("w/1")]) as lost:
        owner = await queues[BASE].get(KEYS.in_progress(1))

    assert isinstance(owner, bytes)
    assert owner.startswith(b"w/1/")
    assert lost == []


async def test_a_worker_gives_up_a_job_that_another_worker_has_claimed(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "other/7", left=5_000)
    mine = claim("w/1")

    async with beating_worker(BASE, settings, holding=[mine]) as lost:
        assert lost == [mine]
        assert await queues[BASE].pttl(KEYS.in_progress(1)) <= 5_000


async def test_a_heartbeat_does_not_bring_a_finished_job_back(
    settings: Settings, queues: QueuePools
) -> None:
    async with beating_worker(BASE, settings, holding=[claim("w/1")]) as lost:
        assert lost == []
    assert not await queues[BASE].exists(KEYS.in_progress(1), KEYS.queue, KEYS.running)
