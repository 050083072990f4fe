from dataclasses import replace
from uuid import UUID

import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from app.core import outbox
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.worker.sweeper import sweep, sweeping
from app.schemas.jobs import BuildSignupReport
from tests.conftest import said, until
from tests.core.test_outbox import leave_behind
from tests.ports import CLOSED_PORT


@pytest.fixture
def resources(committing: Resources) -> Resources:
    return committing


async def waiting(queues: QueuePools) -> list[UUID]:
    return sorted(UUID(job.job_id) for job in await queues[BASE].queued_jobs())


async def is_waiting(queues: QueuePools, *job_ids: UUID) -> bool:
    return await waiting(queues) == sorted(job_ids)


def without_redis(resources: Resources, queues: QueuePools) -> Resources:
    return replace(resources, queues=queues)


async def test_a_job_whose_process_died_after_the_commit_is_sent(
    resources: Resources, queues: QueuePools
) -> None:
    left = await leave_behind(resources, jobs=3)

    async with sweeping(BASE, resources):
        await until(lambda: is_waiting(queues, *left))


async def test_a_job_that_waits_is_not_sent_twice(resources: Resources, queues: QueuePools) -> None:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(BuildSignupReport())
    async with resources.unit_of_work() as uow:
        await outbox.check_now(uow.session, BASE)

    assert await sweep(BASE, resources) == 1
    assert await waiting(queues) == [job_id]


async def test_all_jobs_are_sent_again_to_a_redis_that_was_emptied(
    resources: Resources, queues: QueuePools
) -> None:
    async with resources.unit_of_work() as uow:
        job_ids = [uow.enqueue(BuildSignupReport()) for _ in range(3)]

    async with sweeping(BASE, resources):
        await until(lambda: exists(queues, f"{BASE.key}:known"))
        await queues[BASE].flushdb()
        await until(lambda: is_waiting(queues, *job_ids))


async def test_what_redis_did_not_take_is_overdue_again(resources: Resources) -> None:
    left = await leave_behind(resources, jobs=3)
    away = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )

    async with open_pools(away) as nobody:
        with pytest.raises(RedisError):
            await sweep(BASE, without_redis(resources, nobody))

    assert await sweep(BASE, resources) == 3
    assert await waiting(resources.queues) == sorted(left)


async def test_a_sweeper_outlives_an_outage_and_says_so_once(resources: Resources) -> None:
    away = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    with capture_logs() as lines:
        async with (
            open_pools(away) as nobody,
            sweeping(BASE, without_redis(resources, nobody)),
        ):
            await until(lambda: said(lines, "outbox.not_swept"))

    assert [line["event"] for line in lines].count("outbox.not_swept") == 1


async def exists(queues: QueuePools, key: str) -> bool:
    return bool(await queues[BASE].exists(key))
