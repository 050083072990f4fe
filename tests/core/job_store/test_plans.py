"""Finding a job by its id, or the next jobs of a queue, costs the same after any number of jobs.

The rows of ended jobs stay in the table until a vacuum, and a vacuum removes none of them while any
transaction holds an older snapshot.
"""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.control.diagnostics import QUEUES_WITH_JOBS
from app.core.control.row_counts import COUNTS
from app.core.job_store.outbox import FIND_ALIVE, REMOVE, REMOVE_ALL
from app.core.job_store.reconciliation import ALIVE_AMONG, POLL
from app.core.postgres.statements import Statement, compiled

ENDED = 10_000

BY_ID = {"pk_outbox"}
IN_ORDER = {"ix_outbox_alive_queue_check_at_id"}
COUNTED = {
    *IN_ORDER,
    "ix_outbox_queue_due_at_id",
    "ix_outbox_queue_failed_at_id",
    "ix_outbox_failed_at_id",
}

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
    ("statement", "indexes"),
    [
        pytest.param(REMOVE, BY_ID, id="a job ends"),
        pytest.param(REMOVE_ALL, BY_ID, id="many jobs end"),
        pytest.param(FIND_ALIVE, BY_ID, id="a job is tried again"),
        pytest.param(ALIVE_AMONG, BY_ID, id="the relay sends jobs"),
        pytest.param(POLL, IN_ORDER, id="the relay looks for jobs"),
        pytest.param(COUNTS, COUNTED, id="the console counts jobs"),
        pytest.param(QUEUES_WITH_JOBS, IN_ORDER, id="a health check looks for unknown queues"),
    ],
)
async def test_a_job_is_found_without_reading_the_jobs_that_have_ended(
    after_many_jobs: AsyncConnection, statement: Statement, indexes: set[str]
) -> None:
    query = compiled(statement)
    parameters = f"({', '.join('NULL' for _ in query.names)})" if query.names else ""
    run = after_many_jobs.exec_driver_sql
    # The service prepares its statements, so PostgreSQL soon plans them for any parameters.
    await run("SET plan_cache_mode = force_generic_plan")
    await run(f"PREPARE search AS {query.text}")
    steps = await run(f"EXPLAIN EXECUTE search {parameters}")
    await run("DEALLOCATE search")
    await run("RESET plan_cache_mode")

    plan = "\n".join(row[0] for row in steps)
    assert set() < set(re.findall(r"Scan .*\b((?:pk|ix|uq)_outbox\w*)", plan)) <= indexes, plan
    assert "Index Cond:" in plan
