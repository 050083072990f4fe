"""The log has the route and the outcome of a request, and nothing personal."""

import io
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr
from ipaddress import ip_network

import httpx2
import pytest
from fastapi import APIRouter

from app.core.config import Settings
from app.core.logging import configure_logging
from app.core.resources import Resources
from tests.support.service import serve, with_settings

EMAIL = "ada.lovelace+shop@example.com"
PERSONAL = ["lovelace", "t0ken", "referring-page"]


people = APIRouter(prefix="/people/{email}")


@people.get("/crash")
async def crash(email: str) -> None:
    raise RuntimeError(f'Key (lower(email))=({email}) at "smtp://{email}" already exists')


@people.get("/files/{path:path}")
async def file(email: str, path: str) -> str:
    return email + path


routes = APIRouter()
routes.include_router(people, prefix="/v9")


@pytest.fixture
def production(resources: Resources) -> Resources:
    return with_settings(
        resources, environment="production", log_level="debug", allowed_hosts=["test"]
    )


Log = AbstractContextManager[io.StringIO]


@pytest.fixture
def log(production: Resources, settings: Settings) -> Log:
    """The log within a block, in the format of production."""
    return _log(production, settings)


@contextmanager
def _log(production: Resources, settings: Settings) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with redirect_stderr(io.StringIO()):
        configure_logging(production.settings)
    with redirect_stderr(io.StringIO()) as written:
        [handler] = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written)
        yield written
        configure_logging(settings)
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
async def client(production: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(production, routes=routes) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("POST", "/api/v1/password-recovery/{email}", "/api/v1/password-recovery/{email}"),
        ("POST", "/api/v1/verify-email/{email}", "/api/v1/verify-email/{email}"),
        ("DELETE", "/api/v1/users/{email}", "/api/v1/users/{user_id}"),
        ("GET", "/v9/people/{email}/crash", "/v9/people/{email}/crash"),
        ("GET", "/v9/people/{email}/files/a/{email}", "/people/{email}/files/{path}"),
        ("GET", "/nothing/for/{email}", None),
        ("PUT", "/api/v1/password-recovery/{email}", "/api/v1/password-recovery/{email}"),
    ],
)
async def test_the_log_has_the_route_of_a_request_and_nothing_personal(
    client: httpx2.AsyncClient, log: Log, method: str, path: str, template: str | None
) -> None:
    with log as lines:
        await client.request(
            method,
            path.replace("{email}", EMAIL),
            params={"token": "t0ken", "email": EMAIL},
            headers={"Referer": "https://referring-page.example.com/?t0ken", "User-Agent": EMAIL},
        )

    written = lines.getvalue()
    assert '"event": "request.finished"' in written
    assert (f'"route": "{template}"' if template else '"route": null') in written
    assert [each for each in PERSONAL if each in written] == []


@pytest.mark.parametrize(
    "name", ["uvicorn.error", "httpx2", "aiosmtplib", "sqlalchemy.engine", "unknown"]
)
async def test_no_library_can_write_an_email_address_or_a_query_string(log: Log, name: str) -> None:
    logger = logging.getLogger(name)
    with log as lines:
        logger.info('%s - "WebSocket %s" [accepted]', "192.0.2.1:4711", f"/chat?token={EMAIL}")
        logger.warning("550 <%s>: mailbox of ädä@exämple.de unavailable", EMAIL)
        logger.error("failed", exc_info=ValueError(EMAIL))

    written = lines.getvalue()
    assert "lovelace" not in written
    assert "exämple" not in written.encode().decode("unicode_escape")
    assert "[email]" in written


async def test_a_long_line_is_written_without_delay(log: Log) -> None:
    began = time.process_time()
    with log as lines:
        logging.getLogger("unknown").error("%s of %s", "a" * 30_000, EMAIL)

    assert time.process_time() - began < 1
    assert lines.getvalue().count("[email]") == 1


async def test_the_query_string_of_a_websocket_is_not_logged_by_the_server(
    log: Log,
) -> None:
    with log as lines:
        logging.getLogger("uvicorn.error").info(
            '%s - "WebSocket %s" [accepted]', "192.0.2.1:4711", "/chat?token=t0ken"
        )

    assert lines.getvalue() == ""


async def test_a_request_is_answered_when_its_log_line_cannot_be_written(
    client: httpx2.AsyncClient, log: Log
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    broken = io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)
    with log, broken, redirect_stderr(broken):
        response = await client.get("/api/v1/users/me")

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [("order-66:a.b_c", True), ("x" * 65, False), ("a b", False), ("<script>", False)],
)
async def test_a_trusted_proxy_may_name_a_request(
    resources: Resources, given_id: str, kept: bool
) -> None:
    behind = with_settings(resources, trusted_proxies=[ip_network("127.0.0.1")])
    async with serve(behind) as client:
        answer = await client.get("/health/live", headers={"X-Request-ID": given_id})

    assert (answer.headers["x-request-id"] == given_id) is kept


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
async def test_no_other_client_may_name_a_request(resources: Resources, proxies: list[str]) -> None:
    settings = {"trusted_proxies": [ip_network(proxy) for proxy in proxies]}
    async with serve(with_settings(resources, **settings)) as client:
        headers = {"X-Request-ID": "order-66", "X-Forwarded-For": "10.0.0.1"}
        answer = await client.get("/health/live", headers=headers)

    assert answer.headers["x-request-id"] != "order-66"
