"""A PostgreSQL whose disk is full for a while."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from alembic import command
from sqlalchemy import make_url

from app.core.config import Settings
from dev.mail_catcher import MailCatcher
from tests.seams.deployment import deployed
from tests.seams.load import Load, wait_until_welcomed
from tests.seams.load_settings import under_load
from tests.seams.replication import postgres_server
from tests.seams.small_disk import SmallDisk, small_disk
from tests.support.reports import Report
from tests.support.servers import Servers, alembic_config, settings_for
from tests.support.waiting import wait_until

pytestmark = pytest.mark.seams

MANY_PEOPLE = 500
"""More rows than fit into the existing pages of the tables."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def settings_on_disk(
    servers: Servers, disk: SmallDisk, redis_number: int, inbox: MailCatcher, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a database whose tables, indexes, and temporary files are on the small disk."""
    with postgres_server(tmp_path / "postgres", {}) as server:
        asyncio.run(
            server.execute(
                f"CREATE TABLESPACE small LOCATION '{disk.path}'",
                "CREATE DATABASE service TABLESPACE small",
            )
        )
        url = make_url(server.url).set(drivername="postgresql+asyncpg", database="service")
        settings = settings_for(servers, "service", redis_number, **under_load(inbox)).model_copy(
            update={
                "database_url": url.render_as_string(hide_password=False),
                "database_owner_url": None,
            }
        )
        command.upgrade(alembic_config(settings), "head")
        yield settings


async def test_a_full_disk_of_the_database_is_a_503_until_there_is_room(
    settings_on_disk: Settings, disk: SmallDisk, inbox: MailCatcher, tmp_path: Path, report: Report
) -> None:
    async with deployed(settings_on_disk, tmp_path) as deployment:
        await deployment.start_api()
        await deployment.start_worker("email")
        async with httpx2.AsyncClient(base_url=deployment.api_url, timeout=60) as client:
            load = Load(client)
            await load.sign_up("before@example.com")
            disk.fill()
            await sign_up_until_full(load)
            while_full = await readiness(client)
            disk.make_room()
            await load.sign_up("after@example.com")

            async def is_ready() -> bool:
                return (await readiness(client))["status"] == "ready"

            await wait_until(is_ready)
        welcomed = await wait_until_welcomed(inbox, set(load.accepted), within=60)

    report(f"answers {dict(load.answers)}; readiness while full: {while_full['database']}")
    assert set(load.answers) == {201, 503}
    assert all(seconds > 0 for seconds in load.asked_again_after)
    assert while_full["database"] == {"status": "down", "error": "DatabaseFull"}
    assert {"before@example.com", "after@example.com"} <= load.accepted.keys()
    assert load.accepted.keys() <= welcomed.keys()


async def sign_up_until_full(load: Load) -> None:
    for number in range(MANY_PEOPLE):
        await load.sign_up(f"person-{number}@example.com")
        if load.answers[503]:
            return


async def readiness(client: httpx2.AsyncClient) -> dict[str, object]:
    body: dict[str, object] = (await client.get("/health/ready")).json()
    return body
