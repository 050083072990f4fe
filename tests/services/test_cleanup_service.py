from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, literal, select, text, update
from uuid_utils.compat import uuid7

from app.core.resources import Resources
from app.models import AuditEvent, RefreshToken, UserSession
from app.services.cleanup_service import BATCH, delete_expired_rows
from app.services.scope import Scope
from tests.support.accounts import Person, create_user, open_anonymous_scope
from tests.support.service import with_settings

HOW_MANY = select(func.count()).select_from(RefreshToken)

ROW_BY_ROW = [
    *("enable_hashjoin", "enable_mergejoin", "enable_material", "enable_hashagg", "enable_sort"),
    *("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"),
]
"""Options that PostgreSQL's planner avoids if its statistics are wrong, as after many inserts."""


async def clean_up(resources: Resources, *, options: Sequence[str] = ()) -> int:
    """Delete expired data, and return the number of transactions.

    Meanwhile, `options` of PostgreSQL's planner are off.
    """
    transactions = 0

    @asynccontextmanager
    async def open_scope() -> AsyncIterator[Scope]:
        nonlocal transactions
        transactions += 1
        async with open_anonymous_scope(resources) as scope:
            for option in options:
                await scope.uow.session.execute(text(f"SET LOCAL {option} = off"))
            yield scope

    await delete_expired_rows(open_scope, resources.settings)
    return transactions


async def use_tokens(resources: Resources, person: Person, count: int, *, days_ago: int) -> None:
    number = func.generate_series(1, count).column_valued("number")
    rows = select(
        func.sha256(func.convert_to(func.concat(days_ago, " ", number), "UTF8")),
        literal(person.session_id),
        func.now() - timedelta(days=days_ago),
    )
    async with resources.unit_of_work() as uow:
        columns = ["token_hash", "session_id", "used_at"]
        await uow.session.execute(insert(RefreshToken).from_select(columns, rows))


async def test_refresh_tokens_are_deleted_a_week_after_their_use(
    resources: Resources, ada: Person
) -> None:
    await use_tokens(resources, ada, 3, days_ago=6)
    await use_tokens(resources, ada, 5, days_ago=7)
    await clean_up(resources)

    # Three used tokens, which detect copies, and an unused one.
    assert await resources.reader.scalar(HOW_MANY) == 3 + 1


async def test_many_rows_are_deleted_in_several_transactions(
    resources: Resources, ada: Person
) -> None:
    few = await clean_up(resources)
    await use_tokens(resources, ada, 2 * BATCH + 1, days_ago=7)
    many = await clean_up(resources)

    assert many == few + 2
    assert await resources.reader.scalar(HOW_MANY) == 1


async def test_a_batch_keeps_its_size_where_the_database_compares_row_by_row(
    resources: Resources, ada: Person
) -> None:
    few = await clean_up(resources)
    await use_tokens(resources, ada, 2 * BATCH + 1, days_ago=7)
    many = await clean_up(resources, options=ROW_BY_ROW)

    assert many == few + 2
    assert await resources.reader.scalar(HOW_MANY) == 1


async def test_an_ended_session_is_deleted_with_its_refresh_tokens(
    resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    await use_tokens(resources, ada, BATCH, days_ago=1)
    async with resources.unit_of_work() as uow:
        ended = update(UserSession).where(UserSession.id == ada.session_id)
        await uow.session.execute(ended.values(expires_at=func.now()))
    await clean_up(resources)

    assert await resources.reader.all(select(UserSession.id)) == [(bob.session_id,)]
    assert await resources.reader.all(select(RefreshToken.session_id)) == [(bob.session_id,)]


async def test_events_are_deleted_when_they_are_older_than_the_retention(
    resources: Resources,
) -> None:
    events = [
        {
            "id": uuid7(),
            "at": datetime.now(UTC) - timedelta(days=days),
            "event": f"{days} days ago",
            "ip_address": "",
            "user_agent": "",
            "details": {},
        }
        for days in (90, 61, 59, 31, 0)
    ]
    async with resources.unit_of_work() as uow:
        await uow.session.execute(insert(AuditEvent), events)

    await clean_up(with_settings(resources, audit_retention=60 * 86_400))

    async with resources.unit_of_work() as uow:
        left = await uow.session.scalars(select(AuditEvent.event).order_by(AuditEvent.at))
        assert left.all() == ["59 days ago", "31 days ago", "0 days ago"]
