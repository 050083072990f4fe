import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.database import Database, open_database
from app.core.exceptions import (
    DatabaseConnectionLost,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
)
from app.core.postgres.driver import fetch_on

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{}'; END $$"

LOOK = text("SELECT * FROM changing")


async def process_id(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", DatabaseUnavailable),
        ("53000", DatabaseUnavailable),
        ("53100", DatabaseFull),
        ("53200", DatabaseUnavailable),
        ("53300", DatabaseUnavailable),
        ("53400", DatabaseUnavailable),
        ("57P03", DatabaseUnavailable),
        ("57P05", DatabaseUnavailable),
        ("25006", DatabaseReadOnly),
    ],
)
async def test_a_temporary_failure_of_the_server_is_not_a_failure_of_the_statement(
    settings: Settings, sqlstate: str, kind: type[DatabaseUnavailable]
) -> None:
    async with open_database(settings) as database, database.engine.connect() as connection:
        with pytest.raises(DatabaseUnavailable) as failure:
            await connection.execute(text(RAISE.format(sqlstate)))

    assert type(failure.value) is kind
    assert "planted" in failure.value.cause


async def test_connections_to_a_server_that_became_read_only_are_closed(settings: Settings) -> None:
    async with open_database(settings) as database:
        async with database.engine.connect() as first, database.engine.connect() as second:
            before = {await process_id(first), await process_id(second)}
            await first.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
            await first.commit()
            with pytest.raises(DatabaseReadOnly):
                await first.execute(text("CREATE TABLE written (id int)"))
        async with database.engine.connect() as first, database.engine.connect() as second:
            after = {await process_id(first), await process_id(second)}

    assert not before & after


async def test_a_read_only_server_cannot_be_written(settings: Settings) -> None:
    url = f"{settings.database_url}?options=-cdefault_transaction_read_only%3Don"
    read_only = settings.model_copy(update={"database_url": url})
    async with open_database(read_only) as database:
        with pytest.raises(DatabaseReadOnly):
            await database.check_writable()


async def test_a_full_disk_is_noticed(superuser_settings: Settings) -> None:
    """A query that spills to a full disk fails with the same class of errors."""
    url = f"{superuser_settings.database_url}?options=-ctemp_file_limit%3D0"
    full = superuser_settings.model_copy(update={"database_url": url})
    async with open_database(full) as database:
        with pytest.raises(DatabaseUnavailable, match="not available") as failure:
            await database.check_writable()

    assert "temporary file size" in failure.value.cause


async def changing(database: Database, statement: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text(statement))


async def test_a_changed_column_type_does_not_fail_the_first_statement_of_a_transaction(
    settings: Settings,
) -> None:
    async with (
        open_database(settings) as database,
        open_database(settings.for_owner) as migration,
    ):
        await changing(migration, "CREATE TABLE changing (value varchar(10))")
        await changing(migration, "INSERT INTO changing VALUES ('1')")
        async with (
            database.engine.connect() as first,
            database.engine.connect() as second,
            database.engine.connect() as third,
        ):
            pool = (first, second, third)
            for connection in pool:
                await connection.execute(LOOK)
                await connection.commit()
            await changing(migration, "ALTER TABLE changing ALTER value TYPE int USING value::int")
            values = [await connection.scalar(LOOK) for connection in pool]
            for connection in pool:
                await connection.commit()
        await changing(migration, "DROP TABLE changing")

    assert values == [1, 1, 1]


async def test_a_column_type_that_changes_within_a_transaction_is_a_temporary_failure(
    settings: Settings,
) -> None:
    async with (
        open_database(settings) as database,
        open_database(settings.for_owner) as migration,
    ):
        await changing(migration, "CREATE TABLE changing (value varchar(10))")
        async with database.engine.connect() as connection:
            await connection.execute(LOOK)
            await connection.commit()
            await changing(migration, "ALTER TABLE changing ALTER value TYPE text")
            await connection.execute(text("SELECT 1"))
            with pytest.raises(DatabaseUnavailable) as failure:
                await connection.execute(LOOK)
            await connection.rollback()
            assert (await connection.execute(LOOK)).all() == []
            await connection.commit()
        await changing(migration, "DROP TABLE changing")

    assert "a table has changed" in failure.value.cause


ADD = "INSERT INTO changing VALUES ($1::int) RETURNING value"


async def test_a_changed_column_type_does_not_fail_an_insert_at_the_start_of_a_transaction(
    settings: Settings,
) -> None:
    async with open_database(settings.for_owner) as database:
        await changing(database, "CREATE TABLE changing (value varchar(10))")
        async with database.engine.connect() as connection:
            await connection.begin()
            await fetch_on(connection, ADD, [1])
            await connection.execute(LOOK)
            await connection.commit()

            await changing(database, "ALTER TABLE changing ALTER value TYPE int USING value::int")
            await connection.begin()
            assert (await fetch_on(connection, ADD, [2]))[0]["value"] == 2
            with pytest.raises(DatabaseUnavailable):  # and what was inserted is not lost in silence
                await connection.execute(LOOK)
            await connection.rollback()
        async with database.engine.connect() as connection:
            assert (await connection.execute(LOOK)).all() == [(1,)]
        await changing(database, "DROP TABLE changing")


async def test_a_column_type_that_changes_within_a_transaction_fails_an_insert(
    settings: Settings,
) -> None:
    async with open_database(settings.for_owner) as database:
        await changing(database, "CREATE TABLE changing (value varchar(10))")
        async with database.engine.connect() as connection:
            await connection.begin()
            await fetch_on(connection, ADD, [1])
            await connection.commit()
            await connection.execute(text("SELECT 1"))
            await changing(database, "ALTER TABLE changing ALTER value TYPE int USING value::int")
            with pytest.raises(DatabaseConnectionLost):
                await fetch_on(connection, ADD, [2])
            await connection.rollback()
        await changing(database, "DROP TABLE changing")
