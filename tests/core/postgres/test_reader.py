import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    Double,
    Integer,
    Numeric,
    Select,
    String,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DBAPIError

from app.core.config import Settings
from app.core.database import Database, open_database
from app.core.exceptions import DatabaseUnavailable
from app.core.postgres import liveness
from app.core.postgres.statements import compiled
from app.models import Role
from tests.support.network import database_behind_network

OWN_PROCESS = func.pg_backend_pid()
END_CONNECTION = func.pg_terminate_backend(OWN_PROCESS)
ATTEMPT = func.nextval("attempts")
ANSWER_AT_SECOND_ATTEMPT = select(
    case((ATTEMPT < 2, cast(END_CONNECTION, String)), else_="answered")
)
NEVER_ANSWER = select(ATTEMPT, END_CONNECTION)
ATTEMPTS = select(column("last_value", Integer)).select_from(table("attempts"))

VALUES = select(
    cast(literal(["a", "b"], ARRAY(String)), ARRAY(String)),
    cast(literal({"a": [1]}, JSONB), JSONB),
    cast(literal("1.50", String), Numeric(10, 2)),
    cast(literal(0.5), Double),
    bindparam("text", type_=String),
)
LOOK: Select[Any] = select(column("value")).select_from(table("read_while_it_changes"))


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A database with a sequence that counts attempts, even those that are rolled back."""
    async with open_database(settings.for_owner) as database:
        await run(database, "CREATE SEQUENCE attempts")
        yield database
        await run(database, "DROP SEQUENCE attempts")


async def run(database: Database, statement: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text(statement))


async def test_a_read_is_repeated_once_when_its_connection_ends(database: Database) -> None:
    assert await database.reader.scalar(ANSWER_AT_SECOND_ATTEMPT) == "answered"

    await run(database, "ALTER SEQUENCE attempts RESTART")
    with pytest.raises(DatabaseUnavailable):
        await database.reader.first(NEVER_ANSWER)
    assert await database.reader.scalar(ATTEMPTS) == 2


async def test_many_reads_take_turns_on_the_connections_that_the_pool_keeps(
    settings: Settings,
) -> None:
    few = settings.model_copy(update={"database_pool_size": 2, "database_max_overflow": 5})
    async with open_database(few) as database:
        who = select(OWN_PROCESS, func.pg_sleep(0.01))
        rows = await asyncio.gather(*(database.reader.first(who) for _ in range(20)))
    assert len({row[0] for row in rows if row}) == 2


async def test_a_read_that_waits_too_long_for_a_connection_fails(settings: Settings) -> None:
    few = settings.model_copy(update={"database_pool_size": 1, "database_pool_timeout": 0.05})
    async with open_database(few) as database:
        long = asyncio.create_task(database.reader.scalar(select(func.pg_sleep(2))))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await database.reader.scalar(select(OWN_PROCESS))
        long.cancel()
        await asyncio.wait([long])


async def test_a_write_is_never_repeated(database: Database) -> None:
    with pytest.raises((DatabaseUnavailable, DBAPIError)):
        async with database.sessions() as session:
            await session.execute(NEVER_ANSWER)

    assert await database.reader.scalar(ATTEMPTS) == 1


async def test_a_write_without_begin_and_commit_is_never_repeated(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        await database.single_statement().fetch(compiled(NEVER_ANSWER), {})

    assert await database.reader.scalar(ATTEMPTS) == 1


async def test_a_read_returns_what_sqlalchemy_would(database: Database) -> None:
    row = await database.reader.first(VALUES, text="given")
    async with database.sessions() as session:
        same = (await session.execute(VALUES, {"text": "given"})).one()

    assert row == same == (["a", "b"], {"a": [1]}, Decimal("1.50"), 0.5, "given")


async def test_a_list_of_values_is_one_parameter(database: Database) -> None:
    chosen = select(Role.id).where(Role.name == any_(bindparam("names", type_=ARRAY(String))))
    assert await database.reader.all(chosen, names=["a", "b"]) == []

    with pytest.raises(ValueError, match="any_"):
        await database.reader.all(select(Role.id).where(Role.name.in_(["a", "b"])))


async def test_a_parameter_may_have_any_name(database: Database) -> None:
    statement, of_self = bindparam("statement", type_=String), bindparam("self", type_=String)
    found = await database.reader.first(select(statement, of_self), statement="a", self="b")

    assert found == ("a", "b")


async def test_a_parameter_that_is_missing_is_named(database: Database) -> None:
    with pytest.raises(KeyError, match="text"):
        await database.reader.first(VALUES)


async def test_a_changed_column_type_fails_no_read(settings: Settings, database: Database) -> None:
    await run(database, "CREATE TABLE read_while_it_changes (value varchar(10))")
    await run(database, "INSERT INTO read_while_it_changes VALUES ('1')")
    assert await database.reader.scalar(LOOK) == "1"

    async with open_database(settings.for_owner) as migration:
        change = "ALTER TABLE read_while_it_changes ALTER value TYPE int USING value::int"
        await run(migration, change)
    assert await database.reader.scalar(LOOK) == 1

    await run(database, "DROP TABLE read_while_it_changes")


async def test_a_failed_statement_raises_the_same_error_as_with_sqlalchemy(
    database: Database,
) -> None:
    with pytest.raises(DBAPIError) as failure:
        await database.reader.first(select(literal(1) / bindparam("divisor")), divisor=0)

    assert getattr(failure.value.orig, "sqlstate", None) == "22012"


async def test_a_canceled_read_leaves_no_connection_behind(database: Database) -> None:
    reading = asyncio.create_task(database.reader.first(select(func.pg_sleep(300))))
    while not await database.reader.scalar(SLEEPING):
        pass
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert await database.reader.scalar(select(literal(1)))


SLEEPING = (
    select(func.count())
    .select_from(table("pg_stat_activity"))
    .where(
        column("query").like("%pg_sleep%"),
        column("pid") != OWN_PROCESS,
        column("datname") == func.current_database(),
    )
)


async def test_a_read_that_is_never_answered_makes_the_pool_replace_its_connections(
    settings: Settings,
) -> None:
    async with database_behind_network(settings, database_command_timeout=2) as (database, network):
        await asyncio.gather(*(database.reader.first(select(OWN_PROCESS)) for _ in range(3)))
        network.forget_connections()
        with pytest.raises(TimeoutError):
            await database.reader.first(select(OWN_PROCESS))

        await database.reader.first(select(OWN_PROCESS))


async def test_behind_a_pooler_each_statement_has_the_timeouts_of_the_settings(
    settings: Settings,
) -> None:
    pooled = settings.model_copy(
        update={"database_pooler": "transaction", "database_statement_timeout": 7}
    )
    async with open_database(pooled) as database:
        timeout = select(func.current_setting("statement_timeout"))
        [written] = await database.single_statement().fetch(compiled(timeout), {})
        assert (await database.reader.scalar(timeout), *written) == ("7s", "7s")


async def test_a_connection_that_was_idle_is_asked_before_a_read_uses_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "MAX_IDLE", -1)
    async with database_behind_network(settings) as (database, network):
        first = await database.reader.scalar(select(OWN_PROCESS))
        assert await database.reader.scalar(select(OWN_PROCESS)) == first

        network.forget_connections()
        async with asyncio.timeout(2 * liveness.CHECK_TIMEOUT + 2):
            assert await database.reader.scalar(select(OWN_PROCESS)) != first
