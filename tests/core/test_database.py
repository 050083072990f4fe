import asyncio

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from app.core.config import Settings
from app.core.database import open_database
from app.core.exceptions import DatabaseMissing, DatabaseUnavailable
from app.core.postgres.provisioning import create_missing_database
from tests.support.ports import CLOSED_PORT, silent_server
from tests.support.servers import Servers, execute
from tests.support.waiting import stall_limit


def changed(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def at(settings: Settings, **parts: object) -> Settings:
    url = make_url(settings.database_url).set(**parts)  # type: ignore[arg-type]
    return changed(settings, database_url=url.render_as_string(hide_password=False))


async def failure_of_ping(settings: Settings) -> DatabaseUnavailable:
    async with open_database(settings) as database:
        with pytest.raises(DatabaseUnavailable) as failure:
            await database.ping()
    return failure.value


async def test_a_server_that_is_away_is_named_with_the_cure(settings: Settings) -> None:
    failure = await failure_of_ping(at(settings, port=CLOSED_PORT))

    assert f"127.0.0.1:{CLOSED_PORT} does not answer" in failure.cause
    assert "DATABASE_URL" in failure.cause
    assert "127.0.0.1" not in str(failure)


async def test_a_server_that_is_silent_is_given_up(settings: Settings) -> None:
    with silent_server() as port:
        silent = changed(at(settings, port=port), database_connect_timeout=0.05)
        failure = await failure_of_ping(silent)

    assert "does not answer" in failure.cause


async def test_a_wrong_password_is_named_but_not_shown(settings: Settings) -> None:
    failure = await failure_of_ping(at(settings, password="wr0ng"))

    assert "rejects the login" in failure.cause
    assert "wr0ng" not in failure.cause


async def test_a_missing_database_is_a_clear_sentence(settings: Settings) -> None:
    failure = await failure_of_ping(at(settings, database="nowhere"))

    assert isinstance(failure, DatabaseMissing)
    assert 'The database "nowhere" does not exist' in failure.cause
    assert "createdb" in failure.cause


async def test_a_missing_database_can_be_created(
    superuser_settings: Settings, servers: Servers
) -> None:
    name = f'{make_url(superuser_settings.database_url).database}-"new"'
    new = at(superuser_settings, database=name)
    await asyncio.gather(*(create_missing_database(new) for _ in range(5)))

    async with open_database(new) as database:
        await database.ping()
    quoted = name.replace('"', '""')
    await execute(servers.postgres, f'DROP DATABASE "{quoted}"')


async def test_a_saturated_pool_answers_in_time(settings: Settings) -> None:
    small = changed(
        settings, database_pool_size=1, database_max_overflow=0, database_pool_timeout=0.05
    )
    async with open_database(small) as database, database.engine.connect():
        with pytest.raises(PoolExhausted):
            await database.ping()


async def test_a_long_query_is_ended_by_the_server(settings: Settings) -> None:
    hasty = changed(settings, database_statement_timeout=0.5)
    async with open_database(hasty) as database, database.engine.connect() as connection:
        with pytest.raises(DBAPIError, match="statement timeout"):
            await connection.execute(text("SELECT pg_sleep(10)"))


async def test_a_wait_for_a_lock_ends(settings: Settings) -> None:
    hasty = changed(settings, database_lock_timeout=0.05)
    async with (
        open_database(hasty) as database,
        database.engine.connect() as first,
        database.engine.connect() as second,
    ):
        await first.execute(text("LOCK TABLE signup_reports"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await second.execute(text("SELECT 1 FROM signup_reports"))


async def test_an_idle_transaction_is_ended_by_the_server(settings: Settings) -> None:
    hasty = changed(settings, database_idle_in_transaction_timeout=1)
    async with open_database(hasty) as database, database.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        driver = await connection.get_raw_connection()
        ended = asyncio.Event()
        assert driver.driver_connection is not None
        driver.driver_connection.add_termination_listener(lambda _: ended.set())
        async with stall_limit("the end of the connection"):
            await ended.wait()
        with pytest.raises(DBAPIError) as failure:
            await connection.execute(text("SELECT 1"))
    assert failure.value.connection_invalidated


async def test_a_failed_statement_does_not_show_its_values(settings: Settings) -> None:
    async with open_database(settings) as database, database.engine.connect() as connection:
        with pytest.raises(DBAPIError) as failure:
            await connection.execute(text("SELECT CAST(:a AS text) || 1/0"), {"a": "s3cret"})
    assert "s3cret" not in str(failure.value)
