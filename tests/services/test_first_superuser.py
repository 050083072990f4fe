import asyncio

import pytest
import structlog
from alembic import command
from pydantic import SecretStr
from sqlalchemy import select

from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.core.resources import Resources
from app.core.setup import create_application
from app.models import User
from tests.support.accounts import API, PASSWORD, log_in
from tests.support.servers import alembic_config
from tests.support.service import serve, with_settings
from tests.support.waiting import logged, wait_until

ROOT = {
    "first_superuser_email": "root@example.com",
    "first_superuser_password": SecretStr(PASSWORD),
}


async def test_the_configured_superuser_exists_after_the_start(
    resources: Resources,
) -> None:
    wanted = with_settings(resources, **ROOT, login_requires_verified_email=True)
    for _ in range(2):
        async with serve(wanted) as c:
            tokens = (await log_in(c, "root@example.com")).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            me = (await c.get(f"{API}/users/me", headers=headers)).json()
            assert me["is_superuser"]


async def test_processes_that_start_together_create_the_superuser_once(
    committing_resources: Resources,
) -> None:
    wanted = with_settings(committing_resources, **ROOT)

    async def start() -> None:
        async with serve(wanted):
            pass

    await asyncio.gather(*(start() for _ in range(4)))
    async with committing_resources.unit_of_work() as uow:
        assert (await uow.session.scalars(select(User.email))).all() == ["root@example.com"]


@pytest.mark.usefixtures("throttle")
async def test_the_first_superuser_is_created_once_the_database_is_up(
    settings_without_database: Settings,
) -> None:
    app = create_application(settings_without_database.model_copy(update=ROOT))
    with structlog.testing.capture_logs() as lines:
        async with serve(app) as client:
            assert (await client.get(f"{API}/utils/health-check/")).json() is True
            assert await logged(lines, "first_superuser.postponed")

            await asyncio.to_thread(
                command.upgrade, alembic_config(settings_without_database), "head"
            )
            await wait_until(lambda: logged(lines, "first_superuser.created"))
            login = await log_in(client, "root@example.com", PASSWORD)

    assert login.status_code == 200


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"first_superuser_password": None}, "Set both FIRST_SUPERUSER_EMAIL and"),
        ({"first_superuser_email": None}, "Set both FIRST_SUPERUSER_EMAIL and"),
        (
            {"first_superuser_password": SecretStr("password1")},
            "FIRST_SUPERUSER_PASSWORD: Password is too common",
        ),
    ],
)
def test_an_incomplete_or_guessable_superuser_prevents_the_start(
    settings: Settings, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        create_application(settings.model_copy(update=ROOT | change))
