"""The service under a path prefix, which a proxy removes: `--root-path /svc`."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx2
import pytest

from app.core.config import Settings
from tests.support.processes import run_process
from tests.support.secrets import STRONG_SECRET
from tests.support.servers import ROOT
from tests.support.waiting import STALLED_AFTER


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    """A production process behind a proxy that removes the prefix."""
    changes = {"environment": "production", "secret_key": STRONG_SECRET, "api_docs": True}
    prefix = ("run_api.py", "--port", "0", "--root-path", "/svc")
    async with run_process(settings.model_copy(update=changes), *prefix) as api:
        yield re.search(r"http://\S+", await api.wait_for_line("running on"))[0]  # type: ignore[index]


async def test_a_service_below_a_path_prefix_works_and_documents_the_prefix(url: str) -> None:
    ours = {"Host": "service.example.com"}
    async with httpx2.AsyncClient(base_url=url, headers=ours, timeout=STALLED_AFTER) as client:
        openapi = (await client.get("/openapi.json")).json()
        docs = await client.get("/docs")
        redirect = await client.get("/api/v1/users")
        login = await client.get("/login")
        stranger = await client.get("/account/password")
    image_check = subprocess.run(  # noqa: ASYNC221, S603  the Dockerfile's own command
        [sys.executable, "-c", health_check_of_the_image(url)], check=False
    )

    [scheme] = openapi["components"]["securitySchemes"].values()
    assert scheme["flows"]["password"]["tokenUrl"] == "/svc/api/v1/login/access-token"
    assert openapi["servers"] == [{"url": "/svc"}]
    for asset in re.findall(r'(?:src|href)="(.*?)"', docs.text):
        assert urljoin("/svc/docs", asset).startswith("/svc/docs/assets/")
    assert redirect.headers["location"] == "/svc/api/v1/users/"
    addresses = re.findall(r'(?:href|action|src)="(.*?)"', login.text)
    assert {address for address in addresses if not address.startswith(("/svc/", "#"))} == set()
    assert stranger.headers["location"] == "/svc/login?next=/account/password"
    assert image_check.returncode == 0


def health_check_of_the_image(url: str) -> str:
    """Return the program of the Dockerfile's health check, for this port."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    command = re.search(r"HEALTHCHECK[^\[]*CMD (\[.*\])", dockerfile)
    assert command is not None
    program = re.search(r'"-c", "(.*)"\]', command[1])[1]  # type: ignore[index]
    return program.replace("8000", url.rpartition(":")[2])
