import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
import structlog
from sqlalchemy import func, select

from app.core import outbox
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pools
from app.core.resources import Resources
from app.models import User
from app.schemas.jobs import BuildSignupReport
from tests.ports import CLOSED_PORT


def someone() -> User:
    return User(email="someone@example.com", password_hash="")


async def count_users(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await uow.session.scalar(select(func.count()).select_from(User)) or 0


async def waiting(queues: QueuePools) -> list[str | None]:
    return [job.job_id for job in await queues[BASE].queued_jobs()]


async def test_jobs_leave_with_the_commit_and_not_before(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        uow.session.add(someone())
        job_id = uow.enqueue(BuildSignupReport())
        await uow.session.flush()
        assert await waiting(resources.queues) == []

    assert await waiting(resources.queues) == [str(job_id)]
    assert await count_users(resources) == 1


async def test_nothing_leaves_when_the_work_fails(resources: Resources) -> None:
    async def fail() -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(someone())
            uow.enqueue(BuildSignupReport())
            await uow.session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await waiting(resources.queues) == []
    assert await count_users(resources) == 0


async def test_nothing_leaves_when_the_work_is_cancelled(resources: Resources) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(someone())
            uow.enqueue(BuildSignupReport())
            await uow.session.flush()
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])

    assert await waiting(resources.queues) == []
    assert await count_users(resources) == 0


async def test_nothing_leaves_when_the_commit_fails(
    resources: Resources, committing: Resources
) -> None:
    async def insert_twice() -> None:
        async with committing.unit_of_work() as uow:
            uow.enqueue(BuildSignupReport())
            uow.session.add_all([someone(), someone()])

    with pytest.raises(Exception, match="uq_users_email_lower"):
        await insert_twice()

    assert await waiting(resources.queues) == []


async def test_what_cannot_be_sent_is_left_to_the_sweepers_at_once(
    resources: Resources,
) -> None:
    """Redis is asked once: a request with many jobs must not wait for each of them."""
    away = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    async with open_pools(away) as queues:
        with structlog.testing.capture_logs() as lines:
            async with replace(resources, queues=queues).unit_of_work() as uow:
                uow.session.add(someone())
                job_ids = [uow.enqueue(BuildSignupReport()) for _ in range(3)]

    [line] = [line for line in lines if line["event"] == "jobs.not_sent_yet"]
    assert [UUID(job_id) for job_id in line["job_ids"]] == job_ids
    assert await count_users(resources) == 1
    async with resources.unit_of_work() as uow:
        overdue = await outbox.take_overdue(uow.session, BASE)
    assert {job.id for job in overdue} == {*job_ids}
