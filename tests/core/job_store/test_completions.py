import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from asyncpg import Record
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from app.core.database import Database, open_database
from app.core.job_store.completions import completing
from app.core.job_store.outbox import outbox, remove
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport


@pytest.fixture
async def database(committing_resources: Resources) -> AsyncIterator[Database]:
    """A database that does not wait long for a lock."""
    settings = committing_resources.settings.model_copy(update={"database_lock_timeout": 0.2})
    async with open_database(settings) as database:
        yield database


async def jobs_stored(resources: Resources, count: int) -> list[UUID]:
    async with resources.unit_of_work() as uow:
        return [uow.enqueue(BuildSignupReport()) for _ in range(count)]


async def rows(resources: Resources) -> list[UUID]:
    async with resources.unit_of_work() as uow:
        return [*await uow.session.scalars(select(outbox.c.id))]


async def test_jobs_that_end_together_cost_one_commit(
    committing_resources: Resources, database: Database
) -> None:
    job_ids = await jobs_stored(committing_resources, 30)
    statements: list[str] = []

    async def fetch(text: str, arguments: Sequence[object]) -> Sequence[Record]:
        statements.append(text)
        return await database.fetch(text, arguments)

    async with completing(fetch) as completions:
        removed = await asyncio.gather(*map(completions.remove, job_ids))

    assert all(removed)
    assert len(statements) == 1
    assert await rows(committing_resources) == []


async def test_a_job_that_another_worker_has_completed_is_reported_as_such(
    committing_resources: Resources, database: Database
) -> None:
    theirs, ours = await jobs_stored(committing_resources, 2)
    async with committing_resources.unit_of_work() as uow:
        await remove(uow.session, theirs)

    async with completing(database.fetch) as completions:
        removed = await asyncio.gather(completions.remove(theirs), completions.remove(ours))

    assert [*removed] == [False, True]


async def test_a_locked_row_does_not_prevent_other_jobs_from_completing(
    committing_resources: Resources, database: Database
) -> None:
    held, *free = await jobs_stored(committing_resources, 3)

    async with (
        committing_resources.unit_of_work() as uow,
        completing(database.fetch) as completions,
    ):
        await uow.session.execute(select(outbox).where(outbox.c.id == held).with_for_update())
        results = await asyncio.gather(
            *map(completions.remove, [held, *free]), return_exceptions=True
        )

    assert isinstance(results[0], DBAPIError)
    assert results[1:] == [True, True]


async def test_a_running_deletion_ends_before_the_database_is_closed(
    committing_resources: Resources, database: Database
) -> None:
    [job_id] = await jobs_stored(committing_resources, 1)

    async with completing(database.fetch) as completions:
        removal = asyncio.create_task(completions.remove(job_id))
        await asyncio.sleep(0)

    assert await rows(committing_resources) == []
    assert await removal
