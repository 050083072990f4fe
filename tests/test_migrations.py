import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, text
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.core.config import Settings
from app.core.postgres.privileges import GRANTORS
from tests.support.processes import run_process
from tests.support.secrets import STRONG_SECRET
from tests.support.servers import alembic_config
from tests.support.waiting import wait_until

MIGRATE = ("-m", "alembic", "upgrade", "head")

BEFORE_INDEX, INDEX = "f3a9c1e7b264", "ix_outbox_alive_queue_check_at_id"
"""The revision before the one that builds an index."""
BEFORE_COLUMN, COLUMN = "9f31c6b07ad2", "f3a9c1e7b264"
"""The revision before the one that adds a column to `identities`, and that one."""
OLD_INDEX = "ix_outbox_queue_check_at_id"
ALIVE = "num_nulls(failed_at) = 1"
COLUMNS = "ON outbox (queue, check_at, id)"

Migrate = Callable[[Config, str], None]

LOCK_TIMEOUT = 2.5
"""Seconds. Other statements of a migration do not wait as long for a lock."""


@asynccontextmanager
async def connected(
    settings: Settings, isolation_level: IsolationLevel = "AUTOCOMMIT"
) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(
        settings.for_owner.database_url, isolation_level=isolation_level, poolclass=NullPool
    )
    async with engine.connect() as connection:
        yield connection


async def tables(settings: Settings) -> set[str]:
    async with connected(settings) as connection:
        query = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {*await connection.scalars(query)}


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


@pytest.mark.parametrize(
    "lock",
    ["LOCK TABLE alembic_version", f"SELECT pg_advisory_xact_lock({GRANTORS})"],
    ids=["of a table", "of the privileges"],
)
async def test_a_migration_waits_for_a_lock_in_short_steps(settings: Settings, lock: str) -> None:
    """A migration that waits for the lock would block all later queries of the table."""
    async with connected(settings, "READ COMMITTED") as connection:
        await connection.execute(text(lock))
        async with run_process(settings, *MIGRATE) as migrator:
            await migrator.wait_for_line("migration.waits_for_a_lock")
            await connection.commit()
            assert await migrator.wait_for_exit() == 0


async def test_a_migration_that_a_deadlock_has_ended_runs_again(
    settings_without_database: Settings,
) -> None:
    """The service may use two tables in another order than the migration."""
    settings, config = settings_without_database, alembic_config(settings_without_database)
    await asyncio.to_thread(command.upgrade, config, BEFORE_COLUMN)

    async def waits_for_a_lock() -> bool:
        async with connected(settings) as connection:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'alembic' AND wait_event_type = 'Lock'"
            )
            return bool(await connection.scalar(text(query)))

    async with connected(settings, "READ COMMITTED") as request:
        await request.execute(text("LOCK TABLE alembic_version IN SHARE MODE"))
        async with run_process(settings, "-m", "alembic", "upgrade", COLUMN) as migrator:
            await wait_until(waits_for_a_lock)
            await request.execute(text("SELECT FROM identities"))
            await request.commit()
            assert await migrator.wait_for_exit() == 0, migrator.output


@asynccontextmanager
async def long_transaction(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """Open a transaction like that of a backup, for whose end the build of an index waits."""
    async with connected(settings, "REPEATABLE READ") as connection:
        await connection.execute(text("SELECT FROM outbox"))
        yield connection


async def invalid_indexes(settings: Settings) -> list[str]:
    async with connected(settings) as connection:
        query = text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
        return [*await connection.scalars(query)]


async def test_an_index_is_complete_although_a_backup_runs_while_it_is_built(
    settings_without_database: Settings,
) -> None:
    settings, config = settings_without_database, alembic_config(settings_without_database)
    await asyncio.to_thread(command.upgrade, config, BEFORE_INDEX)

    async def waits_longer_than_others() -> bool:
        async with connected(settings) as connection:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event = 'virtualxid' "
                "AND clock_timestamp() > query_start + make_interval(secs => :seconds)"
            )
            return bool(await connection.scalar(text(query), {"seconds": LOCK_TIMEOUT}))

    async with long_transaction(settings) as backup, run_process(settings, *MIGRATE) as migrator:
        await wait_until(waits_longer_than_others)
        await backup.commit()
        assert await migrator.wait_for_exit() == 0, migrator.output

    assert await invalid_indexes(settings) == []


@pytest.mark.parametrize(
    ("move", "before", "after", "index"),
    [
        (
            command.upgrade,
            BEFORE_INDEX,
            "head",
            f"{INDEX} {COLUMNS} WHERE {ALIVE}",
        ),
        (command.downgrade, "head", BEFORE_INDEX, f"{OLD_INDEX} {COLUMNS}"),
    ],
    ids=["upgrade", "downgrade"],
)
async def test_an_index_whose_build_was_interrupted_is_built_again(
    settings_without_database: Settings, move: Migrate, before: str, after: str, index: str
) -> None:
    settings, config = settings_without_database, alembic_config(settings_without_database)
    await asyncio.to_thread(command.upgrade, config, before)
    async with long_transaction(settings), connected(settings) as connection:
        await connection.execute(text("SET lock_timeout = 10"))
        for _ in range(2):
            with pytest.raises(DBAPIError, match=r"lock timeout|already exists"):
                await connection.execute(text(f"CREATE INDEX CONCURRENTLY {index}"))
    assert await invalid_indexes(settings) == [index.partition(" ")[0]]

    await asyncio.to_thread(move, config, after)

    assert await invalid_indexes(settings) == []
    await asyncio.to_thread(command.upgrade, config, "head")
    await asyncio.to_thread(command.check, config)


def test_a_migration_that_was_interrupted_while_it_built_an_index_can_run_again(
    settings_without_database: Settings,
) -> None:
    """A concurrent build commits everything before it, and only then the revision is stored."""
    config = alembic_config(settings_without_database)
    scripts = [*ScriptDirectory.from_config(config).walk_revisions()]
    for script in reversed(scripts):
        if "autocommit_block" in Path(script.path).read_text():
            command.upgrade(config, script.revision)
            command.stamp(config, str(script.down_revision))
            command.upgrade(config, script.revision)

    command.upgrade(config, "head")
    command.check(config)


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
