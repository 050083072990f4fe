from collections.abc import AsyncIterator

import httpx2
import pytest

from app.core.config import Settings
from app.core.resources import Resources
from app.core.setup import create_application
from tests.conftest import given, serve


@pytest.fixture
async def client(settings: Settings, resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """A production at https://service.example.com that answers to some more hosts."""
    hosts = ["old.example.org", "*.example.net", "[::1]"]
    changes = {"environment": "production", "allowed_hosts": hosts}
    app = create_application(settings.model_copy(update=changes), open_resources=given(resources))
    async with serve(app) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "service.example.com",
        "service.example.com:8443",
        "SERVICE.example.com",
        "old.example.org",
        "a.example.net",
        "a.b.example.net:80",
        "[::1]:8000",
    ],
)
async def test_production_answers_to_its_own_hosts(client: httpx2.AsyncClient, host: str) -> None:
    answer = await client.get("/api/v1/utils/health-check/", headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "service.example.com.evil.example",
        "evil.example/service.example.com",
        "user@service.example.com",
        "service.example.com:80:80",
        "example.net",
        "evilexample.net",
        "",
    ],
)
async def test_a_foreign_host_is_refused(client: httpx2.AsyncClient, host: str) -> None:
    answer = await client.get("/api/v1/utils/health-check/", headers={"Host": host})

    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_host_given_twice_is_refused(client: httpx2.AsyncClient) -> None:
    twice = [("Host", "service.example.com"), ("Host", "evil.example.com")]

    assert (await client.get("/api/v1/utils/health-check/", headers=twice)).status_code == 400


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_load_balancers_ask_for_health_by_address(
    client: httpx2.AsyncClient, path: str
) -> None:
    assert (await client.get(path, headers={"Host": "10.0.0.7:8000"})).status_code == 200


async def test_development_answers_to_any_host(settings: Settings, resources: Resources) -> None:
    changes = {"environment": "development"}
    app = create_application(settings.model_copy(update=changes), open_resources=given(resources))
    async with serve(app, "http://my-laptop:8000") as client:
        assert (await client.get("/api/v1/utils/health-check/")).status_code == 200
