from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Response
from pydantic import HttpUrl

from app.core.resources import Resources
from tests.support.service import serve, with_settings

FRONT = "https://front.example.com"


def preflight(origin: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "GET"}


routes = APIRouter()


@routes.get("/crash")
async def crash() -> None:
    raise RuntimeError


@routes.get("/kept")
async def kept(response: Response) -> None:
    response.headers["Cache-Control"] = "private, max-age=60"


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    strict = with_settings(
        resources, cors_origins=[FRONT], allowed_hosts=["test"], max_body_size=1000
    )
    async with serve(strict, routes=routes) as client:
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
async def test_every_response_has_the_security_headers(
    client: httpx2.AsyncClient, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    response = await client.request(method, path, **more)

    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in response.headers["permissions-policy"]
    assert "x-request-id" in response.headers
    assert "strict-transport-security" not in response.headers


async def test_a_header_that_a_route_sets_is_kept(client: httpx2.AsyncClient) -> None:
    response = await client.get("/kept")

    assert response.headers.get_list("cache-control") == ["private, max-age=60"]


@pytest.mark.parametrize(
    ("environment", "public_url", "told"),
    [
        ("production", "https://service.example.com", True),
        ("production", "http://localhost:8000", False),
        ("test", "https://service.example.com", False),
    ],
)
async def test_browsers_must_use_https_in_a_production_with_https(
    resources: Resources, environment: str, public_url: str, *, told: bool
) -> None:
    changed = with_settings(resources, environment=environment, public_url=HttpUrl(public_url))
    async with serve(changed) as client:
        response = await client.get("/health/live")

    assert ("strict-transport-security" in response.headers) is told
