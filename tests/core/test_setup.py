import json
from collections.abc import MutableMapping
from signal import SIGTERM
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.queue import EMAIL
from app.core.resources import Resources
from app.core.setup import create_application
from tests.support.ports import CLOSED_PORT
from tests.support.processes import run_process
from tests.support.secrets import STRONG_SECRET
from tests.support.service import serve
from tests.support.waiting import STALLED_AFTER, wait_until

OPENING = ["redis.opened", "database.opened"]
CLOSING = ["database.closed", "redis.closed"]


def lifecycle(lines: list[MutableMapping[str, Any]]) -> list[str]:
    return [line["event"] for line in lines if line["event"] in {*OPENING, *CLOSING}]


async def connections(resources: Resources) -> tuple[int, int]:
    """Count the clients of our database and of our email queue, beside the test's own."""
    async with resources.unit_of_work() as uow:
        activity = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        databases = await uow.session.scalar(activity)
    number = resources.queues[EMAIL].connection_pool.connection_kwargs["db"]
    clients = await resources.queues[EMAIL].client_list()
    return databases or 0, sum(int(client["db"]) == number for client in clients)


async def connections_are_back_to(before: tuple[int, int], resources: Resources) -> bool:
    """Wait, because PostgreSQL's processes end shortly after their clients."""
    now = await connections(resources)
    return now[0] <= before[0] and now[1] <= before[1]


@pytest.fixture
def talkative(settings: Settings) -> Settings:
    return settings.model_copy(update={"log_level": "debug"})


async def test_redis_is_opened_before_the_database_and_closed_after_it(
    talkative: Settings, resources: Resources
) -> None:
    before = await connections(resources)
    app = create_application(talkative)
    with capture_logs() as lines:
        async with serve(app) as client:
            assert (await client.get("/health/ready")).status_code == 200
            assert lifecycle(lines) == OPENING

    assert lifecycle(lines) == OPENING + CLOSING
    await wait_until(lambda: connections_are_back_to(before, resources))


async def test_everything_is_closed_after_a_request_that_crashed(
    talkative: Settings, resources: Resources
) -> None:
    before = await connections(resources)
    app = create_application(talkative)

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    with capture_logs() as lines:
        async with serve(app) as client:
            assert (await client.get("/crash")).status_code == 500

    assert lifecycle(lines) == OPENING + CLOSING
    await wait_until(lambda: connections_are_back_to(before, resources))


async def test_everything_is_closed_when_the_service_is_torn_down(talkative: Settings) -> None:
    app = create_application(talkative)

    async def tear_down() -> None:
        async with serve(app):
            raise KeyError

    with capture_logs() as lines, pytest.raises(KeyError):
        await tear_down()

    assert lifecycle(lines) == OPENING + CLOSING


async def test_redis_is_closed_when_the_startup_fails_halfway(talkative: Settings) -> None:
    broken = talkative.model_copy(update={"database_url": "nothing://x"})

    app = create_application(broken)

    async def start() -> None:
        async with serve(app):
            pass

    with capture_logs() as lines, pytest.raises(ValueError, match="must start with postgresql://"):
        await start()

    assert lifecycle(lines) == ["redis.opened", "redis.closed"]


async def test_servers_that_are_down_are_reported_at_startup(settings: Settings) -> None:
    away = settings.model_copy(
        update={
            "database_url": f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x",
            "queue_redis_urls": {"email": f"redis://127.0.0.1:{CLOSED_PORT}"},
        }
    )
    app = create_application(away)
    with capture_logs() as lines:
        async with serve(app):
            pass

    causes = {line["event"]: line for line in lines if line["log_level"] == "error"}
    assert causes.keys() == {"database.unavailable", "redis.unavailable"}
    assert "DATABASE_URL" in causes["database.unavailable"]["cause"]
    assert causes["redis.unavailable"]["queue"] == "email"


async def test_in_production_sigterm_makes_the_service_unready_before_its_listener_closes(
    settings: Settings,
) -> None:
    production = settings.model_copy(
        update={"environment": "production", "secret_key": STRONG_SECRET, "shutdown_delay": 1.0}
    )
    command = ("run_api.py", "--port", "0")
    async with (
        run_process(production, *command) as api,
        httpx2.AsyncClient(timeout=STALLED_AFTER) as client,
    ):
        event = json.loads(await api.wait_for_line("running on"))["event"]
        url = event.split("running on ")[1].split()[0]
        ours = {"Host": "service.example.com"}
        before = await client.get(f"{url}/health/ready")
        assert (before.status_code, before.headers.get("connection")) == (200, None)

        api.signal(SIGTERM)
        await api.wait_for_line("shutdown.announced")
        during = await client.get(f"{url}/health/ready")
        assert (during.status_code, during.json()["status"]) == (503, "shutting down")
        served = await client.get(f"{url}/api/v1/utils/health-check/", headers=ours)
        rejected = await client.get(f"{url}/nothing/here", headers={"Host": "foreign.example.com"})
        assert served.json() is True
        for response in (during, served, rejected):
            assert response.headers["connection"] == "close"

        assert await api.wait_for_exit() == 0
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"{url}/health/live")

    for line in api.output.splitlines():
        assert {"event", "level", "logger", "timestamp"} <= json.loads(line).keys()


@pytest.mark.parametrize("signals", [1, 2])
async def test_the_service_ends_with_exit_code_0(settings: Settings, signals: int) -> None:
    prompt = settings.model_copy(update={"shutdown_delay": 0.0 if signals == 1 else 600.0})
    async with run_process(prompt, "run_api.py", "--port", "0") as api:
        await api.wait_for_line("running on")
        for number in range(signals):
            api.signal(SIGTERM)
            if number < signals - 1:
                await api.wait_for_line("shutdown.announced")

        assert await api.wait_for_exit() == 0


async def test_an_unsafe_production_ends_with_one_line(settings: Settings) -> None:
    unsafe = settings.model_copy(update={"environment": "production"})
    async with run_process(unsafe, "run_api.py") as api:
        assert await api.wait_for_exit() == 1

    [line] = api.output.splitlines()
    assert line.startswith("SECRET_KEY is a placeholder")
