import asyncio
from contextlib import AsyncExitStack

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import Settings
from tests.conftest import alembic_config
from tests.processes import running

MIGRATE = ("-m", "alembic", "upgrade", "head")


async def tables(settings: Settings) -> set[str]:
    engine = create_async_engine(settings.database_url)
    async with engine.connect() as connection:
        found = await connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
    await engine.dispose()
    return set(found)


def test_migrations_go_up_and_down_and_up_again(empty: Settings) -> None:
    config = alembic_config(empty)

    command.upgrade(config, "head")
    first = asyncio.run(tables(empty))
    command.downgrade(config, "base")
    assert asyncio.run(tables(empty)) == {"alembic_version"}
    command.upgrade(config, "head")

    assert asyncio.run(tables(empty)) == first
    assert {"users", "signup_reports"} < first


def test_the_migrations_build_what_the_models_describe(empty: Settings) -> None:
    config = alembic_config(empty)
    command.upgrade(config, "head")

    command.check(config)


def test_the_migrations_can_be_written_as_sql(
    empty: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    command.upgrade(alembic_config(empty), "head", sql=True)

    assert "CREATE TABLE users" in capsys.readouterr().out


async def test_two_migrators_at_once_do_not_disturb_each_other(empty: Settings) -> None:
    async with AsyncExitStack() as stack:
        migrators = [await stack.enter_async_context(running(empty, *MIGRATE)) for _ in range(2)]
        assert [await migrator.ended() for migrator in migrators] == [0, 0]

    output = "".join(migrator.output for migrator in migrators)
    assert output.count("Running upgrade  -> ") == 1


async def test_a_migration_waits_for_a_lock_in_short_steps(settings: Settings) -> None:
    """A migration that queued for the lock would stop every later query of the table."""
    engine = create_async_engine(settings.database_url)
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE alembic_version"))
        async with running(settings, *MIGRATE) as migrator:
            await migrator.says("migration.waits_for_a_lock")
            await connection.commit()
            assert await migrator.ended() == 0
    await engine.dispose()


async def test_in_production_a_missing_database_is_a_clear_sentence(empty: Settings) -> None:
    production = empty.model_copy(update={"environment": "production", "secret_key": "k" * 40})
    async with running(production, *MIGRATE) as migrator:
        assert await migrator.ended() != 0

    assert "does not exist on PostgreSQL at" in migrator.output
    assert "Traceback" not in migrator.output
