import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import insert

from app.core.control import diagnostics
from app.core.control.diagnostics import collect_warnings
from app.core.job_store.outbox import outbox
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pool
from app.core.resources import Resources
from dev.valkey import valkey


@pytest.fixture
async def own_redis(tmp_path: Path, resources: Resources) -> AsyncIterator[QueuePools]:
    """A queue on its own server, which stores nothing on disk."""
    with valkey(tmp_path, durable=False) as url:
        settings = resources.settings.model_copy(update={"queue_redis_urls": {"base": url}})
        pool = open_pool(BASE, settings)
        yield QueuePools({BASE: pool})
        await pool.aclose(close_connection_pool=True)


async def warnings(resources: Resources, queues: QueuePools) -> str:
    return "\n".join(await collect_warnings(resources.database.sessions, queues))


async def test_without_a_problem_there_is_no_warning(resources: Resources) -> None:
    assert await warnings(resources, resources.queues) == ""


async def test_a_redis_that_may_lose_data_is_named(
    resources: Resources, own_redis: QueuePools
) -> None:
    await own_redis[BASE].config_set("maxmemory-policy", "allkeys-lru")

    found = await warnings(resources, own_redis)

    assert "The Redis of the queue 'base' has no append-only file" in found
    assert "Set maxmemory-policy noeviction, not allkeys-lru" in found


async def test_a_replica_in_place_of_the_primary_is_named(
    resources: Resources, own_redis: QueuePools
) -> None:
    await own_redis[BASE].replicaof("127.0.0.1", 1)

    assert "is a replica. Point the URL to the primary" in await warnings(resources, own_redis)


async def test_a_queue_that_is_not_in_the_code_is_named(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        row = {"id": uuid4(), "queue": "retired", "name": "Render", "payload": {}}
        await uow.session.execute(insert(outbox).values(row))

    assert "The queue 'retired' has jobs but is not in the code" in await warnings(
        resources, resources.queues
    )


async def test_jobs_that_no_worker_knows_are_named(resources: Resources) -> None:
    redis = resources.queues[BASE]
    await redis.hset(redis.queue_keys.postponed, "id", "0/Render")

    assert "Jobs of the queue 'base' wait for a worker that knows their class" in await warnings(
        resources, resources.queues
    )


async def test_clocks_that_differ_are_named(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "time", ClockAhead)

    found = await warnings(resources, resources.queues)

    assert "PostgreSQL has a clock that is 60 s behind ours" in found
    assert "The Redis of the queue 'base' has a clock that is 60 s behind ours" in found


class ClockAhead:
    """The clock of a machine, a minute ahead of its servers."""

    @staticmethod
    def time() -> float:
        return time.time() + 60
