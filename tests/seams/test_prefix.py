"""The API below a path, behind HAProxy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from app.core.config import Settings
from tests.seams.deployment import deployed
from tests.seams.haproxy import haproxy

pytestmark = pytest.mark.seams

PREFIX = "/svc"


@pytest.fixture
async def client(own_settings: Settings, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the API below a prefix, which HAProxy removes."""
    async with deployed(own_settings, tmp_path) as deployment:
        await deployment.start_api("--root-path", PREFIX)
        with haproxy(tmp_path / "haproxy", [deployment.port], prefix=PREFIX) as port:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}") as client:
                await until_served(client)
                yield client


async def until_served(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx2.TransportError):
                if (await client.get("/health/live")).is_success:
                    return
            await asyncio.sleep(0.1)


async def test_the_service_works_below_a_path(client: httpx2.AsyncClient) -> None:
    person = {"email": "ada@example.com", "password": "correct horse", "full_name": "Ada"}
    signed_up = await client.post("/api/v1/users/signup", json=person)
    login = await client.post(
        "/api/v1/login/access-token",
        data={"username": person["email"], "password": person["password"]},
    )
    ready = await client.get("/health/ready")

    assert (signed_up.status_code, login.status_code, ready.status_code) == (201, 200, 200)


async def test_the_documentation_finds_the_service_below_the_path(
    client: httpx2.AsyncClient,
) -> None:
    page = await client.get("/docs")
    document = (await client.get("/openapi.json")).json()
    schemes = document["components"]["securitySchemes"].values()
    token_urls = [
        flow["tokenUrl"]
        for scheme in schemes
        for flow in scheme.get("flows", {}).values()
        if "tokenUrl" in flow
    ]

    assert page.status_code == 200
    assert document["servers"][0]["url"] == PREFIX
    assert token_urls == [f"{PREFIX}/api/v1/login/access-token"]


async def test_a_missing_slash_is_redirected_within_the_path(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/items")

    assert answer.status_code == 307
    assert answer.headers["location"] == f"{PREFIX}/api/v1/items/"
