import time
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.core.postgres import liveness
from tests.support.network import database_behind_network

POOL = 5


async def use_all(database: Database) -> None:
    """Use as many connections at once as the pool has."""
    async with AsyncExitStack() as stack:
        for _ in range(POOL):
            connection = await stack.enter_async_context(database.engine.connect())
            await connection.execute(text("SELECT 1"))


@pytest.fixture
def always_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask every connection before it is used, as if it had been idle for long."""
    monkeypatch.setattr(liveness, "MAX_IDLE", -1)


@pytest.mark.usefixtures("always_ask")
@pytest.mark.timing
async def test_the_pool_waits_for_one_dead_connection_and_not_for_each(
    settings: Settings,
) -> None:
    async with database_behind_network(settings, database_pool_size=POOL) as (database, network):
        await use_all(database)
        network.forget_connections()

        began = time.monotonic()
        await use_all(database)
        took = time.monotonic() - began

    assert liveness.CHECK_TIMEOUT <= took < 2 * liveness.CHECK_TIMEOUT + 2


async def test_a_statement_that_is_never_answered_makes_the_pool_replace_its_connections(
    settings: Settings,
) -> None:
    async with database_behind_network(
        settings, database_pool_size=POOL, database_command_timeout=2
    ) as (database, network):
        await use_all(database)
        network.forget_connections()
        with pytest.raises(TimeoutError):
            await database.ping()

        await use_all(database)
