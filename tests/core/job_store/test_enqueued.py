import asyncio
import cProfile
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.broker.payload import InvalidJob
from app.core.job_store import outbox
from app.core.job_store.outbox import JobAlive
from app.core.queue import BASE
from app.core.resources import Resources
from app.core.unit_of_work import UnitOfWork
from app.models import User
from app.schemas.jobs import BuildSignupReport


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits several connections can see."""
    return committing_resources


async def stored(resources: Resources) -> set[UUID]:
    async with resources.sessions() as session:
        return set(await session.scalars(select(outbox.outbox.c.id)))


async def sent(resources: Resources) -> set[UUID]:
    return {UUID(job.job_id) for job in await resources.queues[BASE].queued_jobs()}


async def enqueue(resources: Resources, key: str) -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(BuildSignupReport(), key=key)


async def test_a_second_job_with_a_key_is_refused_while_the_first_is_alive(
    resources: Resources,
) -> None:
    first = await enqueue(resources, "nightly")

    with pytest.raises(JobAlive, match=f"'nightly'.*{first}") as refusal:
        await enqueue(resources, "nightly")

    assert refusal.value.job_id == first
    assert await sent(resources) == {first}
    async with resources.unit_of_work() as uow:
        assert await outbox.remove(uow.session, first)
    assert await enqueue(resources, "nightly") != first


async def test_a_key_is_used_once_in_a_transaction(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        first = uow.enqueue(BuildSignupReport(), key="nightly")
        with pytest.raises(JobAlive, match=str(first)):
            uow.enqueue(BuildSignupReport(), key="nightly")

    assert await stored(resources) == {first}


async def test_a_job_with_on_conflict_ignore_is_dropped_while_another_has_its_key(
    resources: Resources,
) -> None:
    first = await enqueue(resources, "nightly")

    async with resources.unit_of_work() as uow:
        uow.enqueue(BuildSignupReport(), key="nightly", on_conflict="ignore")
        weekly = uow.enqueue(BuildSignupReport(), key="weekly", on_conflict="ignore")
        again = uow.enqueue(BuildSignupReport(), key="weekly", on_conflict="ignore")

    assert again == weekly
    assert await stored(resources) == await sent(resources) == {first, weekly}


async def test_one_of_many_simultaneous_jobs_with_a_key_is_stored_and_the_others_are_refused(
    resources: Resources,
) -> None:
    """There are more transactions than connections in the pool, and each needs only one."""
    outcomes = await asyncio.gather(
        *(enqueue(resources, "nightly") for _ in range(60)), return_exceptions=True
    )

    [job_id] = [outcome for outcome in outcomes if isinstance(outcome, UUID)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, JobAlive)]
    assert {refusal.job_id for refusal in refusals} == {job_id}
    assert len(refusals) == 59


async def test_transactions_with_the_same_keys_do_not_wait_for_each_other(
    resources: Resources,
) -> None:
    async def enqueue_all(keys: list[str]) -> None:
        async with resources.unit_of_work() as uow:
            for key in keys:
                uow.enqueue(BuildSignupReport(), key=key, on_conflict="ignore")

    keys = [f"key {number}" for number in range(20)]
    await asyncio.gather(*(enqueue_all(each) for each in (keys, keys[::-1]) * 4))

    assert len(await stored(resources)) == 20


async def test_a_job_with_a_key_costs_the_same_however_many_the_transaction_has(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        few = calls_to_enqueue(uow, range(10))
        for number in range(10, 500):
            uow.enqueue(BuildSignupReport(), key=f"key {number}")
        many = calls_to_enqueue(uow, range(500, 510))

        assert many < 2 * few


def calls_to_enqueue(uow: UnitOfWork, numbers: Iterable[int]) -> int:
    """Return how many function calls it takes to enqueue jobs with keys."""
    jobs = [(BuildSignupReport(), f"key {number}") for number in numbers]
    with cProfile.Profile() as profile:
        for job, key in jobs:
            uow.enqueue(job, key=key)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("key", ["x" * 256, "a\x00b", "\ud800"])
async def test_a_key_that_cannot_be_stored_is_refused(resources: Resources, key: str) -> None:
    with pytest.raises(InvalidJob, match=r"BuildSignupReport\.key") as refusal:
        await enqueue(resources, key)

    assert isinstance(refusal.value, ValueError)
    assert refusal.value.field == "key"


async def roll_back(session: AsyncSession, uow: UnitOfWork) -> None:
    async with session.begin_nested() as savepoint:
        uow.enqueue(BuildSignupReport())
        await savepoint.rollback()


async def fail(session: AsyncSession, uow: UnitOfWork) -> None:
    with suppress(KeyError):
        async with session.begin_nested():
            uow.enqueue(BuildSignupReport())
            raise KeyError


async def fail_to_flush(session: AsyncSession, uow: UnitOfWork) -> None:
    with suppress(IntegrityError):
        async with session.begin_nested():
            uow.enqueue(BuildSignupReport())
            session.add(User(id=uuid4()))


async def roll_back_around_a_released_one(session: AsyncSession, uow: UnitOfWork) -> None:
    async with session.begin_nested() as outer:
        async with session.begin_nested():
            uow.enqueue(BuildSignupReport())
        await outer.rollback()


async def roll_back_an_inner_one(session: AsyncSession, uow: UnitOfWork) -> None:
    async with session.begin_nested(), session.begin_nested() as inner:
        uow.enqueue(BuildSignupReport(), key="nightly")
        await inner.rollback()


@pytest.mark.parametrize(
    "roll_back_a_job",
    [roll_back, fail, fail_to_flush, roll_back_around_a_released_one, roll_back_an_inner_one],
)
async def test_a_job_is_rolled_back_with_its_savepoint(
    resources: Resources, roll_back_a_job: Callable[[AsyncSession, UnitOfWork], Awaitable[None]]
) -> None:
    async with resources.unit_of_work() as uow:
        before = uow.enqueue(BuildSignupReport())
        await roll_back_a_job(uow.session, uow)
        async with uow.session.begin_nested():
            released = uow.enqueue(BuildSignupReport())
        after = uow.enqueue(BuildSignupReport(), key="nightly")

    assert await stored(resources) == await sent(resources) == {before, released, after}


async def test_jobs_are_dropped_when_a_service_rolls_the_session_back(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(select(1))
        uow.enqueue(BuildSignupReport())
        await uow.session.rollback()

    assert await stored(resources) == set()
