import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from arq.utils import timestamp_ms

from app.core.config import Settings
from app.core.presence import LIFETIME, live_workers
from app.core.queue import BASE, EMAIL, Queue, QueuePools
from app.core.redis import open_client
from app.core.worker.claims import Claim
from app.core.worker.heartbeat import Heart, beating
from tests.ports import CLOSED_PORT


@asynccontextmanager
async def alive(
    queue: Queue, settings: Settings, *, worker_id: str = "w", holding: Sequence[Claim] = ()
) -> AsyncIterator[list[Claim]]:
    """Be a worker whose heart beats; yields the list of what it has lost."""
    lost: list[Claim] = []
    with open_client(queue, settings) as client:
        heart = Heart(
            client,
            queue=queue.key,
            worker_id=worker_id,
            held=lambda: holding,
            describe=lambda: b"{}",
            on_lost=lost.extend,
        )
        async with beating(heart):
            yield lost


def claim(token: str) -> Claim:
    return Claim("1", token, b"", tries=1, crashes=0, claimed_ms=timestamp_ms())


async def hold(queues: QueuePools, token: str, *, left: int = 5_000) -> None:
    """Let a job be claimed under a token, with so many milliseconds of its lease left."""
    redis, end = queues[BASE], timestamp_ms() + left
    await redis.set("arq:in-progress:1", f"{token}/{timestamp_ms()}", px=left)
    await redis.zadd(BASE.key, {"1": end})
    await redis.zadd(f"{BASE.key}:running", {"1": end})


async def test_a_worker_counts_while_its_heart_beats(
    settings: Settings, queues: QueuePools
) -> None:
    async with alive(BASE, settings, worker_id="a"), alive(BASE, settings, worker_id="b"):
        assert await live_workers(BASE, queues) == 2
        assert await live_workers(EMAIL, queues) == 0
    assert await live_workers(BASE, queues) == 0


async def test_a_worker_that_died_without_a_word_is_forgotten(
    settings: Settings, queues: QueuePools
) -> None:
    key = f"{BASE.key}:workers"
    await queues[BASE].zadd(key, {"dead": time.time() - LIFETIME - 1})
    assert await live_workers(BASE, queues) == 0

    async with alive(BASE, settings):
        assert await queues[BASE].zscore(key, "dead") is None


async def test_a_worker_works_on_when_it_cannot_say_that_it_lives(settings: Settings) -> None:
    away = settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )

    async with alive(BASE, away) as lost:
        assert lost == []


async def test_a_heartbeat_extends_the_leases_of_the_worker(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "w/1", left=5_000)

    async with alive(BASE, settings, holding=[claim("w/1")]) as lost:
        left = await queues[BASE].zscore(BASE.key, "1") - timestamp_ms()
        assert await queues[BASE].pttl("arq:in-progress:1") > 10_000

    assert left > 10_000
    assert lost == []


async def test_a_lease_that_ended_is_taken_up_again_where_nobody_has_the_job(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "w/1")
    await queues[BASE].delete("arq:in-progress:1")

    async with alive(BASE, settings, holding=[claim("w/1")]) as lost:
        owner = await queues[BASE].get("arq:in-progress:1")

    assert owner.startswith(b"w/1/")
    assert lost == []


async def test_a_job_that_somebody_else_holds_is_lost_and_left_alone(
    settings: Settings, queues: QueuePools
) -> None:
    await hold(queues, "other/7", left=5_000)
    mine = claim("w/1")

    async with alive(BASE, settings, holding=[mine]) as lost:
        assert lost == [mine]
        assert await queues[BASE].pttl("arq:in-progress:1") <= 5_000


async def test_a_job_that_is_done_is_not_brought_back(
    settings: Settings, queues: QueuePools
) -> None:
    async with alive(BASE, settings, holding=[claim("w/1")]) as lost:
        assert lost == []
    assert not await queues[BASE].exists("arq:in-progress:1", BASE.key, f"{BASE.key}:running")
