from dataclasses import replace
from uuid import uuid4

import httpx2

from app.core.config import Settings
from app.core.database import open_database
from app.core.queue import EMAIL, QUEUES
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.security.access_tokens import AccessToken, issue_access_token
from app.core.setup import create_application
from tests.support.accounts import bearer
from tests.support.heartbeat import beating_worker
from tests.support.ports import CLOSED_PORT
from tests.support.service import already_open, serve


async def test_the_liveness_check_needs_no_other_server(settings: Settings) -> None:
    away = settings.model_copy(
        update={
            "database_url": f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x",
            "queue_redis_urls": {},
            "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}",
        }
    )
    async with serve(create_application(away)) as client:
        assert (await client.get("/health/live")).status_code == 200


async def test_ready_when_everything_answers(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "database": {"status": "up", "error": None},
        "queues": {q.name: {"status": "up", "error": None, "workers": 0} for q in QUEUES},
        "warnings": [],
    }


async def test_ready_counts_the_live_workers_of_each_queue(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    async with (
        beating_worker(EMAIL, settings, worker_id="a"),
        beating_worker(EMAIL, settings, worker_id="b"),
    ):
        during = (await client.get("/health/ready")).json()["queues"]
    after = (await client.get("/health/ready")).json()["queues"]

    assert (during["email"]["workers"], during["base"]["workers"]) == (2, 0)
    assert after["email"]["workers"] == 0


async def test_a_queue_whose_redis_is_down_is_named(
    settings: Settings, resources: Resources
) -> None:
    own = {**settings.queue_redis_urls, "email": f"redis://127.0.0.1:{CLOSED_PORT}/2"}
    away = settings.model_copy(update={"queue_redis_urls": own})
    async with open_pools(away) as queues:
        app = create_application(
            away, open_resources=already_open(replace(resources, queues=queues))
        )
        async with serve(app) as client:
            answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["queues"]["email"]["status"] == "down"
    assert answer.json()["queues"]["base"]["status"] == "up"
    assert answer.json()["database"]["status"] == "up"


async def test_a_database_that_is_down_is_named(settings: Settings, resources: Resources) -> None:
    url = f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x"
    away = settings.model_copy(update={"database_url": url})
    token = issue_access_token(settings, AccessToken(uuid4(), uuid4()))
    async with open_database(away) as database:
        app = create_application(
            away, open_resources=already_open(replace(resources, database=database))
        )
        async with serve(app) as client:
            answer = await client.get("/health/ready")
            users = await client.get("/api/v1/users/me", headers=bearer(token))

    assert answer.status_code == 503
    assert answer.json()["database"] == {"status": "down", "error": "DatabaseUnavailable"}
    assert (users.status_code, users.headers["retry-after"]) == (503, "5")
