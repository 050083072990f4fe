import time

from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.presence import LIFETIME, announced, live_workers
from app.core.queue import BASE, EMAIL, QueuePools
from app.core.redis import open_pools
from tests.conftest import until
from tests.ports import CLOSED_PORT


async def test_a_worker_counts_while_it_lives(queues: QueuePools) -> None:
    async with announced(BASE, queues):
        await until(lambda: workers(queues, 1))
        assert await live_workers(EMAIL, queues) == 0
    assert await live_workers(BASE, queues) == 0


async def test_a_worker_that_died_without_a_word_is_forgotten(queues: QueuePools) -> None:
    key = f"{BASE.key}:workers"
    await queues[BASE].zadd(key, {"dead": time.time() - LIFETIME - 1})
    assert await live_workers(BASE, queues) == 0

    async with announced(BASE, queues):
        await until(lambda: workers(queues, 1))
        assert await queues[BASE].zscore(key, "dead") is None


async def test_a_worker_works_on_when_it_cannot_say_that_it_lives(settings: Settings) -> None:
    away = settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    with capture_logs() as lines:
        async with open_pools(away) as queues, announced(BASE, queues):
            pass

    assert [line["event"] for line in lines if "worker" in line["event"]] == [
        "worker.not_announced",
        "worker.not_signed_off",
    ]


async def workers(queues: QueuePools, expected: int) -> bool:
    return await live_workers(BASE, queues) == expected
