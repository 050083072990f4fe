"""PostgreSQL behind PgBouncer with transaction pooling."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Integer, bindparam, cast, make_url, select, text

from app.core.config import Settings
from app.core.database import open_database
from app.core.exceptions import DatabaseUnavailable
from dev.mail_catcher import MailCatcher
from tests.seams.deployment import deployed
from tests.seams.load import RATE, signing_up, wait_until_welcomed
from tests.seams.pgbouncer import pgbouncer, pgbouncer_supports_prepared_statements
from tests.support.reports import Report

pytestmark = pytest.mark.seams

SERVER_CONNECTIONS = 5
TRANSACTIONS = 400

GIVEN_NUMBER = select(cast(bindparam("number", type_=Integer), Integer))

REMEMBER = text("SELECT set_config('seams.number', CAST(:number AS text), true)")


@pytest.fixture(params=[0, 100], ids=["plain", "prepared"])
def behind_pooler(
    request: pytest.FixtureRequest, own_settings: Settings, tmp_path: Path
) -> Iterator[Settings]:
    """Settings that lead through PgBouncer, without and with its prepared statements."""
    if request.param and not pgbouncer_supports_prepared_statements():
        pytest.skip("not run: prepared statements need PgBouncer 1.21 or later")
    with pgbouncer(
        tmp_path / "pgbouncer",
        own_settings.database_url,
        pool_size=SERVER_CONNECTIONS,
        prepared_statements=request.param,
    ) as url:
        yield own_settings.model_copy(
            update={
                "database_url": url,
                "database_pooler": "transaction",
                "database_pool_size": 40,
                "database_pool_timeout": 60,
            }
        )


async def test_hundreds_of_transactions_get_their_own_answers(
    behind_pooler: Settings, report: Report
) -> None:
    async with open_database(behind_pooler) as database:

        async def transact(number: int) -> tuple[int, str, str]:
            async with database.sessions.begin() as session:
                timeout = await session.scalar(text("SHOW statement_timeout"))
                await session.execute(
                    text("SELECT set_config('seams.number', CAST(:n AS text), true)"),
                    {"n": str(number)},
                )
                columns = ", ".join(f"{number} + {column}" for column in range(number % 7 + 1))
                row = (await session.execute(text(f"SELECT {columns}"))).one()
                kept = await session.scalar(text("SELECT current_setting('seams.number')"))
                return row[-1] - number % 7, str(kept), str(timeout)

        answers = await asyncio.gather(*map(transact, range(TRANSACTIONS)))
        reads = await asyncio.gather(
            *(database.reader.scalar(GIVEN_NUMBER, number=number) for number in range(200))
        )
        async with database.engine.connect() as connection:
            prepared = await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))

    report(f"{TRANSACTIONS} transactions on {SERVER_CONNECTIONS} connections, none failed")
    assert answers == [(number, str(number), "5s") for number in range(TRANSACTIONS)]
    assert reads == list(range(200))
    assert prepared == 0


async def test_nothing_that_a_transaction_has_set_reaches_another_client(
    behind_pooler: Settings,
) -> None:
    async with open_database(behind_pooler) as database, database.sessions.begin() as session:
        await session.execute(text("SELECT 1"))

    defaults = behind_pooler.model_copy(update={"database_statement_timeout": 77})
    async with open_database(defaults) as database, database.sessions.begin() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "77s"
    url = make_url(behind_pooler.database_url)
    async with open_database(behind_pooler) as database, database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        settings = [
            await raw.driver_connection.fetchval("SHOW statement_timeout")
            for _ in range(2 * SERVER_CONNECTIONS)
        ]
    assert url.port
    assert set(settings) == {"0"}


async def test_without_the_setting_the_cure_is_named(behind_pooler: Settings) -> None:
    direct = behind_pooler.model_copy(update={"database_pooler": "none"})
    async with open_database(direct) as database:
        with pytest.raises(DatabaseUnavailable) as failure:
            await database.ping()

    assert "set DATABASE_POOLER=transaction" in failure.value.cause


async def test_people_sign_up_and_get_their_emails(
    behind_pooler: Settings, inbox: MailCatcher, tmp_path: Path, report: Report
) -> None:
    settings = behind_pooler.model_copy(update={"database_pool_size": 10})
    async with deployed(settings, tmp_path) as deployment:
        await deployment.start_api()
        await deployment.start_worker("email")
        async with signing_up(deployment, every=RATE) as load:
            await asyncio.sleep(10)
        welcomed = await wait_until_welcomed(inbox, set(load.accepted), within=60)

    report(f"answers {dict(load.answers)}, {welcomed.total()} emails")
    assert set(load.answers) == {201}
    assert welcomed == dict.fromkeys(load.accepted, 1)
