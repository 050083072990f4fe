import re

import httpx2
import pytest

from app.core.resources import Resources
from tests.support.service import serve, with_settings

PATHS = ("/docs", "/docs/assets/start.js", "/openapi.json")


async def test_the_documentation_needs_no_internet(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    addresses = re.findall(r'(?:src|href)="(.*?)"', page.text)

    assert len(addresses) == 4
    for address in addresses:
        assert "//" not in address
        assert (await client.get(f"/{address}")).status_code == 200


async def test_the_documentation_runs_only_its_own_scripts(
    client: httpx2.AsyncClient,
) -> None:
    page = await client.get("/docs")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script[^>]*>[^<]", page.text)


async def test_a_browser_caches_the_files_of_the_documentation(client: httpx2.AsyncClient) -> None:
    first = await client.get("/docs/assets/start.js")
    again = await client.get(
        "/docs/assets/start.js", headers={"If-None-Match": first.headers["etag"]}
    )

    assert first.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("environment", "wanted", "status"),
    [
        ("development", None, 200),
        ("production", None, 404),
        ("production", True, 200),
        ("development", False, 404),
    ],
)
async def test_production_serves_the_documentation_only_if_configured(
    resources: Resources, environment: str, wanted: bool | None, status: int
) -> None:
    changed = with_settings(resources, environment=environment, api_docs=wanted)
    async with serve(changed, "https://service.example.com") as client:
        assert {(await client.get(path)).status_code for path in PATHS} == {status}
