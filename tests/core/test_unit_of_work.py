import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import structlog
from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.core.exceptions import DatabaseUnavailable
from app.core.job_store import outbox
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.unit_of_work import UnitOfWork
from app.models import Item, User
from app.schemas.item import ItemPublic
from app.schemas.jobs import BuildSignupReport
from app.schemas.user import UserPublic
from app.services.columns import insert_as, insert_unless_taken_as
from tests.support.ports import CLOSED_PORT
from tests.support.waiting import wait_for_blocked_transaction

NEW_ITEM = insert_as(ItemPublic, Item)
ITEMS = insert(Item)
NEW_USER = insert_unless_taken_as(UserPublic, User)
EMAIL = select(User.email).where(User.email == bindparam("email"))


def create_user() -> User:
    return User(email="someone@example.com", password_hash="")


async def commit_user(resources: Resources) -> UUID:
    user = create_user()
    async with resources.unit_of_work() as uow:
        uow.session.add(user)
    return user.id


async def titles_in(uow: UnitOfWork) -> list[str]:
    return [*await uow.session.scalars(select(Item.title).order_by(Item.id))]


async def end_transactions(superuser: AsyncEngine) -> None:
    """End the connections of all open transactions, as a failover does."""
    async with superuser.connect() as other:
        await other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE state = 'idle in transaction' AND datname = current_database()"
            )
        )


async def count_users(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await uow.session.scalar(select(func.count()).select_from(User)) or 0


async def waiting(queues: QueuePools) -> list[str | None]:
    return [job.job_id for job in await queues[BASE].queued_jobs()]


async def test_jobs_leave_with_the_commit_and_not_before(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        uow.session.add(create_user())
        job_id = uow.enqueue(BuildSignupReport())
        await uow.session.flush()
        assert await waiting(resources.queues) == []

    assert await waiting(resources.queues) == [str(job_id)]
    assert await count_users(resources) == 1


async def test_nothing_leaves_when_the_work_fails(resources: Resources) -> None:
    async def fail() -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(create_user())
            uow.enqueue(BuildSignupReport())
            await uow.session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await waiting(resources.queues) == []
    assert await count_users(resources) == 0


async def test_nothing_leaves_when_the_work_is_canceled(resources: Resources) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(create_user())
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
    resources: Resources, committing_resources: Resources
) -> None:
    async def insert_twice() -> None:
        async with committing_resources.unit_of_work() as uow:
            uow.enqueue(BuildSignupReport())
            uow.session.add_all([create_user(), create_user()])

    with pytest.raises(Exception, match="uq_users_email_lower"):
        await insert_twice()

    assert await waiting(resources.queues) == []


async def test_a_redis_that_is_down_does_not_fail_a_commit(resources: Resources) -> None:
    """Redis is asked once, so that a request with many jobs waits only once."""
    down = resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    async with open_pools(down) as queues:
        with structlog.testing.capture_logs() as lines:
            async with replace(resources, queues=queues).unit_of_work() as uow:
                uow.session.add(create_user())
                job_ids = [uow.enqueue(BuildSignupReport()) for _ in range(3)]

    [line] = [line for line in lines if line["event"] == "jobs.not_sent_yet"]
    assert [UUID(job_id) for job_id in line["job_ids"]] == job_ids
    assert await count_users(resources) == 1
    async with resources.unit_of_work() as uow:
        assert all([await uow.first(outbox.FIND_ALIVE, job_id=job_id) for job_id in job_ids])


async def test_a_unit_of_work_that_has_ended_accepts_no_job(resources: Resources) -> None:
    """A background task or a streaming response runs after the transaction of its request."""
    async with resources.unit_of_work() as committed:
        pass
    with pytest.raises(KeyError):
        async with resources.unit_of_work() as rolled_back:
            raise KeyError

    for ended in (committed, rolled_back):
        with pytest.raises(RuntimeError, match="has ended: BuildSignupReport would be lost"):
            ended.enqueue(BuildSignupReport())


async def test_an_inserted_row_has_what_was_given_and_what_its_model_adds(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        user = create_user()
        uow.session.add(user)  # the row refers to the user before the flush
        user.id = uuid7()
        item = await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=user.id)
        stored = await uow.session.get_one(Item, item.id)

    assert (item.title, item.description, item.owner_id) == ("A title", None, user.id)
    assert ItemPublic.model_validate(stored) == item


async def test_an_inserted_row_goes_with_the_work_that_fails(
    committing_resources: Resources,
) -> None:
    async def fail() -> None:
        async with committing_resources.unit_of_work() as uow:
            user = create_user()
            uow.session.add(user)
            await uow.session.flush()
            await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=user.id)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    async with committing_resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(func.count()).select_from(Item)) == 0


async def test_an_inserted_row_is_in_the_database_after_the_commit(
    committing_resources: Resources,
) -> None:
    async with committing_resources.unit_of_work() as uow:
        user = create_user()
        uow.session.add(user)
    async with committing_resources.unit_of_work() as uow:
        item = await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=user.id)

    async with committing_resources.unit_of_work() as uow:
        assert ItemPublic.model_validate(await uow.session.get_one(Item, item.id)) == item


async def test_a_row_that_a_constraint_refuses_is_an_integrity_error(resources: Resources) -> None:
    with pytest.raises(IntegrityError, match="owner_id"):
        async with resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=uuid7())


async def test_what_follows_an_insert_belongs_to_the_same_transaction(
    committing_resources: Resources,
) -> None:
    owner_id = await commit_user(committing_resources)

    async def fail() -> None:
        async with committing_resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="First", owner_id=owner_id)
            uow.session.add(Item(title="Second", owner_id=owner_id))
            await uow.insert(ItemPublic, NEW_ITEM, title="Third", owner_id=owner_id)
            assert await titles_in(uow) == ["First", "Second", "Third"]
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with committing_resources.unit_of_work() as uow:
        await uow.insert(ItemPublic, NEW_ITEM, title="First", owner_id=owner_id)
        savepoint = await uow.session.begin_nested()
        await uow.insert(ItemPublic, NEW_ITEM, title="Second", owner_id=owner_id)
        await savepoint.rollback()
        uow.session.add(Item(title="Third", owner_id=owner_id))

    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == ["First", "Third"]


async def test_a_session_that_has_run_nothing_keeps_no_insert_from_its_commit(
    committing_resources: Resources,
) -> None:
    owner_id = await commit_user(committing_resources)
    async with committing_resources.unit_of_work() as uow:
        await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=owner_id)
        assert not uow.session.new

    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == ["A title"]


async def test_a_single_statement_is_committed_at_once(committing_resources: Resources) -> None:
    owner_id = await commit_user(committing_resources)

    async def fail() -> None:
        async with committing_resources.unit_of_work(autocommits=True) as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=owner_id)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == ["A title"]


@pytest.mark.parametrize(
    "add_more",
    [
        lambda uow, owner_id: uow.insert(ItemPublic, NEW_ITEM, title="Second", owner_id=owner_id),
        lambda uow, _: uow.session,
        lambda uow, _: uow.enqueue(BuildSignupReport()),
        lambda uow, owner_id: uow.insert_at_end(ITEMS, title="Second", owner_id=owner_id),
    ],
    ids=["statement", "session", "job", "deferred row"],
)
async def test_a_single_statement_cannot_be_joined_by_anything_else(
    committing_resources: Resources,
    add_more: Callable[[UnitOfWork, UUID], Awaitable[object] | object],
) -> None:
    owner_id = await commit_user(committing_resources)

    async def write() -> None:
        async with committing_resources.unit_of_work(autocommits=True) as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="First", owner_id=owner_id)
            added = add_more(uow, owner_id)
            if isinstance(added, Awaitable):
                await added

    with pytest.raises(RuntimeError, match="@autocommit"):
        await write()

    assert await waiting(committing_resources.queues) == []
    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == ["First"]


async def test_a_job_leaves_with_an_inserted_row(committing_resources: Resources) -> None:
    owner_id = await commit_user(committing_resources)
    async with committing_resources.unit_of_work() as uow:
        await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=owner_id)
        job_id = uow.enqueue(BuildSignupReport())
        assert await waiting(committing_resources.queues) == []

    assert await waiting(committing_resources.queues) == [str(job_id)]
    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == ["A title"]
        assert await uow.first(outbox.FIND_ALIVE, job_id=job_id)


@pytest.mark.parametrize("joins", [False, True])
async def test_an_insert_that_ends_in_any_way_holds_no_connection(
    committing_resources: Resources, *, joins: bool
) -> None:
    owner_id = await commit_user(committing_resources)

    async def insert(failure: BaseException | None = None, *, owner: UUID = owner_id) -> None:
        async with committing_resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=owner)
            if joins:
                await titles_in(uow)
            if failure:
                raise failure

    await insert()
    with pytest.raises(KeyError):
        await insert(KeyError())
    with pytest.raises(asyncio.CancelledError):
        await insert(asyncio.CancelledError())
    with pytest.raises(IntegrityError):
        await insert(owner=uuid7())

    assert committing_resources.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == ["A title"]


async def test_an_insert_that_is_canceled_leaves_nothing_behind(
    committing_resources: Resources, superuser: AsyncEngine
) -> None:
    owner_id = await commit_user(committing_resources)

    async def insert() -> None:
        async with committing_resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=owner_id)

    async with superuser.connect() as other:
        await other.execute(text("LOCK TABLE items"))
        task = asyncio.create_task(insert())
        await wait_for_blocked_transaction(committing_resources)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert committing_resources.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == []


@pytest.mark.parametrize("joins", [False, True])
async def test_an_insert_is_not_repeated_when_its_connection_ends(
    committing_resources: Resources, superuser: AsyncEngine, *, joins: bool
) -> None:
    owner_id = await commit_user(committing_resources)

    async def insert_twice() -> None:
        async with committing_resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="First", owner_id=owner_id)
            if joins:
                await titles_in(uow)
            await end_transactions(superuser)
            await uow.insert(ItemPublic, NEW_ITEM, title="Second", owner_id=owner_id)

    with pytest.raises(DatabaseUnavailable):
        await insert_twice()

    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == []


async def test_a_commit_whose_connection_has_ended_fails(
    committing_resources: Resources, superuser: AsyncEngine
) -> None:
    owner_id = await commit_user(committing_resources)

    async def insert() -> None:
        async with committing_resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="A title", owner_id=owner_id)
            await end_transactions(superuser)

    with pytest.raises(DatabaseUnavailable):
        await insert()

    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == []


async def test_nothing_follows_in_a_transaction_whose_connection_has_ended(
    committing_resources: Resources, superuser: AsyncEngine
) -> None:
    owner_id = await commit_user(committing_resources)

    async def insert_and_continue() -> None:
        async with committing_resources.unit_of_work() as uow:
            await uow.insert(ItemPublic, NEW_ITEM, title="First", owner_id=owner_id)
            await end_transactions(superuser)
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable):
                    await uow.insert(ItemPublic, NEW_ITEM, title="Second", owner_id=owner_id)
            with pytest.raises(DatabaseUnavailable):
                await titles_in(uow)

    with pytest.raises(DatabaseUnavailable):
        await insert_and_continue()

    async with committing_resources.unit_of_work() as uow:
        assert await titles_in(uow) == []


async def test_a_select_sees_what_the_work_has_written(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        uow.session.add(create_user())

        assert await uow.first(EMAIL, email="someone@example.com") == ("someone@example.com",)
        assert await uow.first(EMAIL, email="other@example.com") is None


async def titles(resources: Resources) -> list[str]:
    async with resources.unit_of_work() as uow:
        return [*await uow.session.scalars(select(Item.title).order_by(Item.id))]


async def test_rows_that_wait_for_the_end_are_inserted_in_their_order(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        user = User(id=uuid7(), email="someone@example.com")
        uow.insert_at_end(ITEMS, title="First", owner_id=user.id)
        uow.insert_at_end(ITEMS, title="Second", owner_id=user.id, description="With more columns")
        uow.insert_at_end(ITEMS, title="Third", owner_id=user.id)
        assert await uow.session.scalar(select(func.count()).select_from(Item)) == 0
        uow.session.add(user)

    assert await titles(resources) == ["First", "Second", "Third"]


async def test_a_row_that_waits_for_the_end_goes_with_its_savepoint(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        user = create_user()
        uow.session.add(user)
        await uow.session.flush()
        uow.insert_at_end(ITEMS, title="Before", owner_id=user.id)
        async with uow.session.begin_nested() as savepoint:
            uow.insert_at_end(ITEMS, title="Within", owner_id=user.id)
            await savepoint.rollback()
        uow.insert_at_end(ITEMS, title="After", owner_id=user.id)

    assert await titles(resources) == ["Before", "After"]


async def test_a_row_that_waits_for_the_end_goes_with_the_work_that_fails(
    resources: Resources,
) -> None:
    async with resources.unit_of_work() as uow:
        user = create_user()
        uow.session.add(user)

    async def fail() -> None:
        async with resources.unit_of_work() as uow:
            uow.insert_at_end(ITEMS, title="A title", owner_id=user.id)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await titles(resources) == []


async def test_a_row_that_is_skipped_leaves_the_transaction_usable(resources: Resources) -> None:
    user = {"email": "someone@example.com", "full_name": "Someone"}
    async with resources.unit_of_work() as uow:
        first = await uow.insert_unless_taken(UserPublic, NEW_USER, **user)
        assert await uow.insert_unless_taken(UserPublic, NEW_USER, **user) is None

    assert first is not None
    assert first.email == "someone@example.com"
    assert await count_users(resources) == 1


async def test_deferred_rows_and_jobs_follow_a_session_that_joins_later(
    committing_resources: Resources,
) -> None:
    async with committing_resources.unit_of_work() as uow:
        user = await uow.insert(UserPublic, NEW_USER, email="someone@example.com")
        uow.insert_at_end(ITEMS, title="Before", owner_id=user.id)
        before = uow.enqueue(BuildSignupReport())
        async with uow.session.begin_nested() as savepoint:
            uow.insert_at_end(ITEMS, title="Within", owner_id=user.id)
            uow.enqueue(BuildSignupReport())
            await savepoint.rollback()

    assert await titles(committing_resources) == ["Before"]
    assert await waiting(committing_resources.queues) == [str(before)]


async def test_a_deferred_row_needs_no_other_statement(
    committing_resources: Resources,
) -> None:
    async with committing_resources.unit_of_work() as uow:
        uow.insert_at_end(insert(User), email="someone@example.com")

    assert await count_users(committing_resources) == 1


async def test_many_jobs_are_enqueued_in_order_with_the_same_options(
    committing_resources: Resources, queues: QueuePools
) -> None:
    due = datetime.now(UTC) + timedelta(minutes=5)
    async with committing_resources.unit_of_work() as uow:
        job_ids = await uow.enqueue_many((BuildSignupReport(days=n) for n in (1, 2, 3)), at=due)

    jobs = {job.job_id: job for job in await queues[BASE].queued_jobs()}
    assert [jobs[str(job_id)].args[0]["days"] for job_id in job_ids] == [1, 2, 3]
    assert {job.score for job in jobs.values()} == {round(due.timestamp() * 1000)}


async def test_other_requests_continue_while_many_jobs_are_enqueued(
    committing_resources: Resources,
) -> None:
    turns = 0

    async def other_requests() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other_requests())
    async with committing_resources.unit_of_work() as uow:
        await uow.enqueue_many(BuildSignupReport() for _ in range(500))
        turns_meanwhile = turns
    others.cancel()

    assert turns_meanwhile > 1
