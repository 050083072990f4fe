"""PostgreSQL with a standby that takes over under load."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from alembic import command
from sqlalchemy import make_url

from app.core.config import Settings
from app.core.database import open_database
from dev.mail_catcher import MailCatcher
from tests.seams.deployment import Deployment, deployed
from tests.seams.load import PEOPLE, RATE, Load, signing_up, wait_until_welcomed
from tests.seams.load_settings import under_load
from tests.seams.replication import APPLICATION, PostgresServer, postgres_server, standby_of
from tests.support.reports import Report
from tests.support.servers import Servers, alembic_config, settings_for

pytestmark = pytest.mark.seams

RECOVERS_WITHIN = 15.0

Pair = tuple[PostgresServer, PostgresServer]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A primary, and a standby without which it does not commit."""
    # On the command line, which overrides the files, and where tests turn it off.
    settings = {"wal_level": "replica", "synchronous_commit": "on"}
    with postgres_server(tmp_path / "first", settings) as primary:
        asyncio.run(primary.execute("CREATE DATABASE service"))
        with standby_of(primary, tmp_path / "second") as standby:
            asyncio.run(
                primary.execute(
                    f"ALTER SYSTEM SET synchronous_standby_names = '{APPLICATION}'",
                    "SELECT pg_reload_conf()",
                )
            )
            yield primary, standby


@pytest.fixture
def settings_of_pair(
    servers: Servers, pair: Pair, redis_number: int, inbox: MailCatcher
) -> Settings:
    """Settings that name both servers and select the one that takes writes."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in pair)
    url = (
        make_url(pair[0].url)
        .set(drivername="postgresql+asyncpg", host=None, port=None, database="service")
        .update_query_dict({"host": hosts, "target_session_attrs": "read-write"})
    )
    settings = settings_for(
        servers,
        "service",
        redis_number,
        **under_load(inbox),
        database_connect_timeout=2,
    ).model_copy(
        update={
            "database_url": url.render_as_string(hide_password=False),
            "database_owner_url": None,
        }
    )
    command.upgrade(alembic_config(settings), "head")
    return settings


async def people_of(settings: Settings) -> set[str]:
    async with open_database(settings) as database, database.engine.connect() as connection:
        return set((await connection.scalars(PEOPLE)).all())


async def status_of(deployment: Deployment) -> dict[str, object]:
    async with httpx2.AsyncClient(base_url=deployment.api_url) as client:
        body: dict[str, object] = (await client.get("/health/ready")).json()
    return body


def assert_nobody_was_failed(load: Load) -> None:
    assert set(load.answers) <= {201, 503}
    assert all(seconds > 0 for seconds in load.asked_again_after)


async def test_a_switchover_leaves_no_connection_behind_that_cannot_write(
    pair: Pair, settings_of_pair: Settings, inbox: MailCatcher, tmp_path: Path, report: Report
) -> None:
    """The former primary keeps running with its connections but takes no more writes."""
    former, following = pair
    async with deployed(settings_of_pair, tmp_path) as deployment:
        await deployment.start_api()
        await deployment.start_worker("email")
        async with signing_up(deployment, every=RATE) as load:
            await asyncio.sleep(4)
            await former.execute(
                "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"
            )
            await asyncio.sleep(2)
            while_read_only = await status_of(deployment)
            began = time.time()
            await following.execute("SELECT pg_promote()")
            await asyncio.sleep(8)
            recovered = load.first_accepted_after(began)
        people = await people_of(settings_of_pair)
        welcomed = await wait_until_welcomed(inbox, people, within=60)
        ready = await status_of(deployment)

    twice = sum(count > 1 for count in welcomed.values())
    report(
        f"answers {dict(load.answers)}; writes again {recovered:.1f} s after the promotion, "
        f"the slowest request {load.slowest:.1f} s; "
        f"{len(load.accepted.keys() - people)} lost, {twice} emails twice"
    )
    assert while_read_only["database"] == {"status": "down", "error": "DatabaseReadOnly"}
    assert_nobody_was_failed(load)
    assert recovered <= RECOVERS_WITHIN
    assert load.slowest <= RECOVERS_WITHIN
    assert load.accepted.keys() <= people
    assert people <= welcomed.keys()
    assert ready["status"] == "ready"


async def test_a_promotion_after_the_death_of_the_primary_loses_nothing(
    pair: Pair, settings_of_pair: Settings, inbox: MailCatcher, tmp_path: Path, report: Report
) -> None:
    primary, standby = pair
    async with deployed(settings_of_pair, tmp_path) as deployment:
        await deployment.start_api()
        await deployment.start_worker("email")
        async with signing_up(deployment, every=RATE) as load:
            await asyncio.sleep(4)
            primary.kill()
            died = time.time()
            await asyncio.sleep(1)
            await standby.execute("SELECT pg_promote()")
            await asyncio.sleep(10)
            recovered = load.first_accepted_after(died)
        people = await people_of(settings_of_pair)
        welcomed = await wait_until_welcomed(inbox, people, within=60)

    twice = sum(count > 1 for count in welcomed.values())
    report(
        f"answers {dict(load.answers)}; works again {recovered:.1f} s after the death, the slowest "
        f"request {load.slowest:.1f} s; "
        f"{len(load.accepted.keys() - people)} lost, {twice} emails twice"
    )
    assert_nobody_was_failed(load)
    assert recovered <= RECOVERS_WITHIN
    assert load.slowest <= RECOVERS_WITHIN
    assert load.accepted.keys() <= people
    assert people <= welcomed.keys()
