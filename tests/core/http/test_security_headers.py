from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Response
from pydantic import HttpUrl

from app.core.config import Settings
from app.core.resources import Resources
from app.core.setup import create_application
from tests.conftest import given, serve

FRONT = "https://front.example.com"


def preflight(origin: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "GET"}


@pytest.fixture
def app(settings: Settings, resources: Resources) -> FastAPI:
    changes = {"cors_origins": [FRONT], "allowed_hosts": ["test"], "max_body_size": 1000}
    app = create_application(settings.model_copy(update=changes), open_resources=given(resources))

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    @app.get("/kept")
    async def kept(response: Response) -> None:
        response.headers["Cache-Control"] = "private, max-age=60"

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(app) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/api/v1/utils/health-check/", {}, 200),
        ("GET", "/api/v1/users", {}, 307),
        ("GET", "/health/live", {"headers": {"Host": "any.example.com"}}, 200),
        ("GET", "/api/v1/utils/health-check/", {"headers": {"Host": "evil.example.com"}}, 400),
        ("OPTIONS", "/", {"headers": preflight(FRONT)}, 200),
        ("OPTIONS", "/", {"headers": preflight("null")}, 400),
        ("GET", "/nothing/here", {}, 404),
        ("PUT", "/api/v1/users/signup", {}, 405),
        ("POST", "/api/v1/users/signup", {"content": "x" * 1001}, 413),
        ("POST", "/api/v1/users/signup", {"json": {}}, 422),
        ("GET", "/crash", {}, 500),
    ],
)
async def test_every_answer_tells_browsers_to_keep_run_and_embed_nothing(
    client: httpx2.AsyncClient, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    answer = await client.request(method, path, **more)

    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "x-request-id" in answer.headers
    assert "strict-transport-security" not in answer.headers


async def test_what_a_route_says_itself_stands(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/kept")

    assert answer.headers.get_list("cache-control") == ["private, max-age=60"]


@pytest.mark.parametrize(
    ("environment", "public_url", "told"),
    [
        ("production", "https://service.example.com", True),
        ("production", "http://localhost:8000", False),
        ("test", "https://service.example.com", False),
    ],
)
async def test_browsers_are_told_to_stay_on_https_where_it_is_production_and_https(
    settings: Settings, resources: Resources, environment: str, public_url: str, *, told: bool
) -> None:
    changes = {"environment": environment, "public_url": HttpUrl(public_url)}
    app = create_application(settings.model_copy(update=changes), open_resources=given(resources))
    async with serve(app) as client:
        answer = await client.get("/health/live")

    assert ("strict-transport-security" in answer.headers) is told
