import asyncio

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import select, text

from app.core.config import ConfigurationError, Settings
from app.core.resources import Resources
from app.core.setup import create_application
from app.models import User
from tests.accounts import API, PASSWORD, log_in
from tests.conftest import serve, with_settings

ROOT = {
    "first_superuser_email": "root@example.com",
    "first_superuser_password": SecretStr(PASSWORD),
}


async def test_the_superuser_of_the_settings_is_there_after_the_start(
    resources: Resources,
) -> None:
    wanted = with_settings(resources, **ROOT, login_requires_verified_email=True)
    for _ in range(2):
        async with serve(wanted) as c:
            tokens = (await log_in(c, "root@example.com")).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            me = (await c.get(f"{API}/users/me", headers=headers)).json()
            assert me["is_superuser"]


async def test_of_processes_that_start_together_one_creates_it(committing: Resources) -> None:
    wanted = with_settings(committing, **ROOT)

    async def start() -> None:
        async with serve(wanted):
            pass

    await asyncio.gather(*(start() for _ in range(4)))
    async with committing.unit_of_work() as uow:
        assert (await uow.session.scalars(select(User.email))).all() == ["root@example.com"]


async def test_a_database_without_tables_does_not_keep_the_service_from_starting(
    resources: Resources,
) -> None:
    wanted = with_settings(resources, **ROOT)
    async with wanted.unit_of_work() as uow:
        await uow.session.execute(text("DROP TABLE users CASCADE"))
    with structlog.testing.capture_logs() as lines:
        async with serve(wanted) as client:
            assert (await client.get(f"{API}/utils/health-check/")).json() is True

    assert "first_superuser.not_created" in [line["event"] for line in lines]


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
def test_half_a_superuser_or_one_that_is_easy_to_guess_stops_the_start(
    settings: Settings, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        create_application(settings.model_copy(update=ROOT | change))
