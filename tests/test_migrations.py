import asyncio
from contextlib import AsyncExitStack

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import Settings
from tests.support.processes import run_process
from tests.support.secrets import STRONG_SECRET
from tests.support.servers import alembic_config

MIGRATE = ("-m", "alembic", "upgrade", "head")


async def tables(settings: Settings) -> set[str]:
    engine = create_async_engine(settings.for_owner.database_url)
    async with engine.connect() as connection:
        found = await connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
    await engine.dispose()
    return set(found)


def test_migrations_go_up_and_down_and_up_again(settings_without_database: Settings) -> None:
    config = alembic_config(settings_without_database)

    command.upgrade(config, "head")
    first = asyncio.run(tables(settings_without_database))
    command.downgrade(config, "base")
    assert asyncio.run(tables(settings_without_database)) == {"alembic_version"}
    command.upgrade(config, "head")

    assert asyncio.run(tables(settings_without_database)) == first
    assert {"users", "signup_reports"} < first


def test_the_migrations_build_what_the_models_describe(settings_without_database: Settings) -> None:
    config = alembic_config(settings_without_database)
    command.upgrade(config, "head")

    command.check(config)


def test_the_migrations_can_be_written_as_sql(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    command.upgrade(alembic_config(settings_without_database), "head", sql=True)

    assert "CREATE TABLE users" in capsys.readouterr().out


async def test_two_migrators_at_once_do_not_disturb_each_other(
    settings_without_database: Settings,
) -> None:
    async with AsyncExitStack() as stack:
        migrators = [
            await stack.enter_async_context(run_process(settings_without_database, *MIGRATE))
            for _ in range(2)
        ]
        codes = [await migrator.wait_for_exit() for migrator in migrators]
        assert codes == [0, 0], [migrator.output for migrator in migrators]

    output = "".join(migrator.output for migrator in migrators)
    assert output.count("Running upgrade  -> ") == 1


async def test_a_migration_waits_for_a_lock_in_short_steps(settings: Settings) -> None:
    """A migration that waits for the lock would block all later queries of the table."""
    engine = create_async_engine(settings.for_owner.database_url)
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE alembic_version"))
        async with run_process(settings, *MIGRATE) as migrator:
            await migrator.wait_for_line("migration.waits_for_a_lock")
            await connection.commit()
            assert await migrator.wait_for_exit() == 0
    await engine.dispose()


async def test_in_production_a_missing_database_is_a_clear_sentence(
    settings_without_database: Settings,
) -> None:
    production = settings_without_database.model_copy(
        update={"environment": "production", "secret_key": STRONG_SECRET}
    )
    async with run_process(production, *MIGRATE) as migrator:
        assert await migrator.wait_for_exit() != 0

    assert "does not exist on PostgreSQL at" in migrator.output
    assert "Traceback" not in migrator.output
