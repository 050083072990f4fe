from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import HttpUrl

from app.core.resources import Resources
from tests.support.service import serve, with_settings

LOCAL = HttpUrl("http://localhost:8000")


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """A production service at https://service.example.com with additional hosts."""
    hosts = ["old.example.org", "*.example.net", "[::1]"]
    production = with_settings(resources, environment="production", allowed_hosts=hosts)
    async with serve(production) as client:
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
    response = await client.get("/api/v1/utils/health-check/", headers={"Host": host})

    assert response.status_code == 200


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
async def test_a_foreign_host_is_rejected(client: httpx2.AsyncClient, host: str) -> None:
    response = await client.get("/api/v1/utils/health-check/", headers={"Host": host})

    assert (response.status_code, response.json()["status"]) == (400, 400)
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_duplicate_host_header_is_rejected(client: httpx2.AsyncClient) -> None:
    twice = [("Host", "service.example.com"), ("Host", "evil.example.com")]

    assert (await client.get("/api/v1/utils/health-check/", headers=twice)).status_code == 400


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_health_checks_may_use_an_ip_address_as_host(
    client: httpx2.AsyncClient, path: str
) -> None:
    assert (await client.get(path, headers={"Host": "10.0.0.7:8000"})).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("shop.localhost", 200),
        ("rebound.example.com:8000", 400),
        ("localhost.example.com", 400),
        ("192.168.1.10:8000", 400),
    ],
)
async def test_a_developers_service_answers_to_names_of_the_machine_itself(
    resources: Resources, host: str, status: int
) -> None:
    """Otherwise, a website whose name resolves to 127.0.0.1 could read the answers."""
    developer = with_settings(resources, environment="development", public_url=LOCAL)
    async with serve(developer) as client:
        response = await client.get("/api/v1/utils/health-check/", headers={"Host": host})

    assert response.status_code == status


async def test_a_developer_can_add_a_host(resources: Resources) -> None:
    shared = {"environment": "development", "allowed_hosts": ["box.lan"]}
    async with serve(with_settings(resources, **shared)) as client:
        for host in ("box.lan", "localhost"):
            headers = {"Host": host}
            response = await client.get("/api/v1/utils/health-check/", headers=headers)
            assert response.status_code == 200
