"""Finding a job by its id costs the same, however many jobs have ended before.

The rows of ended jobs stay in the table until a vacuum, and a vacuum removes none of them while any
transaction holds an older snapshot.
"""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.job_store.outbox import FIND_ALIVE, REMOVE, REMOVE_ALL
from app.core.job_store.reconciliation import ALIVE_AMONG
from app.core.postgres.statements import Statement, compiled

ENDED = 10_000

ENQUEUE = text(
    "INSERT INTO outbox (id, queue, name, payload) "
    "SELECT gen_random_uuid(), 'base', 'BuildSignupReport', '{}' FROM generate_series(1, :jobs)"
)
END_ALL = text("DELETE FROM outbox")
VACUUM = text("VACUUM ANALYZE outbox")


@pytest.fixture
async def after_many_jobs(superuser: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to a database where many jobs have ended during a long transaction."""
    snapshot = superuser.execution_options(isolation_level="REPEATABLE READ")
    autocommit = superuser.execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        async with snapshot.connect() as long_transaction:
            await long_transaction.execute(text("SELECT count(*) FROM outbox"))
            await connection.execute(ENQUEUE, {"jobs": ENDED})
            await connection.execute(END_ALL)
            await connection.execute(VACUUM)
            yield connection
        await connection.execute(VACUUM)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(REMOVE, id="a job ends"),
        pytest.param(REMOVE_ALL, id="many jobs end"),
        pytest.param(FIND_ALIVE, id="a job is tried again"),
        pytest.param(ALIVE_AMONG, id="the relay sends jobs"),
    ],
)
async def test_a_job_is_found_without_reading_the_jobs_that_have_ended(
    after_many_jobs: AsyncConnection, statement: Statement
) -> None:
    query = compiled(statement)
    parameters = ", ".join("NULL" for _ in query.names)
    run = after_many_jobs.exec_driver_sql
    # The service prepares its statements, so PostgreSQL soon plans them for any parameters.
    await run("SET plan_cache_mode = force_generic_plan")
    await run(f"PREPARE search AS {query.text}")
    steps = await run(f"EXPLAIN EXECUTE search ({parameters})")
    await run("DEALLOCATE search")
    await run("RESET plan_cache_mode")

    plan = "\n".join(row[0] for row in steps)
    assert re.findall(r"Scan .*\b((?:pk|ix|uq)_outbox\w*)", plan) == ["pk_outbox"], plan
    assert "Index Cond:" in plan
