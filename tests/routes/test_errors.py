import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from app.core.config import Settings
from app.core.resources import Resources
from app.core.setup import create_application
from app.routes.deps import Uow
from tests.conftest import given, serve


@pytest.fixture
def app(settings: Settings, resources: Resources) -> FastAPI:
    app = create_application(settings, open_resources=given(resources))

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("a secret that nobody should read")

    @app.get("/sleep")
    async def sleep(uow: Uow) -> None:
        await uow.session.execute(text("SET LOCAL statement_timeout = '20ms'"))
        await uow.session.execute(text("SELECT pg_sleep(10)"))

    @app.get("/syntax")
    async def syntax(uow: Uow) -> None:
        await uow.session.execute(text("SELEKT"))

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            yield "first line"
            raise RuntimeError("too late for a 500")

        return StreamingResponse(lines())

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(app) as client:
        yield client


async def test_an_answer_that_breaks_off_is_left_to_the_server_to_cut(
    client: httpx2.AsyncClient,
) -> None:
    with pytest.raises(RuntimeError, match="too late"):
        await client.get("/half")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("PUT", "/api/v1/users/signup", 405),
        ("GET", "/api/v1/users/me", 401),
        ("POST", "/api/v1/users/signup", 422),
        ("GET", "/crash", 500),
        ("GET", "/sleep", 503),
        ("GET", "/syntax", 500),
    ],
)
async def test_every_error_is_a_problem_with_a_sentence_and_the_requests_id(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert isinstance(problem["detail"], str)
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_crash_tells_the_log_but_not_the_caller(client: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await client.get("/crash")

    assert "secret" not in answer.text
    [crash] = [line for line in lines if line["event"] == "request.crashed"]
    assert crash["path"] == "/crash"


async def test_a_method_that_is_not_allowed_names_those_that_are(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.delete("/api/v1/login/access-token")

    assert answer.headers["allow"] == "POST"


async def test_a_busy_database_asks_to_come_again(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/sleep")

    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [("order-66:a.b_c", True), ("x" * 65, False), ("a b", False), ("<script>", False)],
)
async def test_a_harmless_request_id_is_kept(
    client: httpx2.AsyncClient, given_id: str, kept: bool
) -> None:
    answer = await client.get("/health/live", headers={"X-Request-ID": given_id})

    assert (answer.headers["x-request-id"] == given_id) is kept


async def test_simultaneous_requests_have_ids_of_their_own(client: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get("/nothing") for _ in range(20)))

    ids = [answer.json()["request_id"] for answer in answers]
    assert ids == [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 20


async def test_the_openapi_describes_problems_as_they_are_sent(client: httpx2.AsyncClient) -> None:
    openapi = (await client.get("/openapi.json")).json()

    signup = openapi["paths"]["/api/v1/users/signup"]["post"]["responses"]
    assert signup.keys() == {"201", "default"}
    assert {
        media_type
        for path in openapi["paths"].values()
        for operation in path.values()
        for media_type in operation["responses"]["default"]["content"]
    } == {"application/problem+json"}
    assert (await client.get("/openapi.json")).json() == openapi


async def test_a_listed_origin_may_call_and_another_may_not(
    settings: Settings, resources: Resources
) -> None:
    allowed = settings.model_copy(update={"cors_origins": ["https://front.example.com"]})
    app = create_application(allowed, open_resources=given(resources))
    async with serve(app) as client:
        ours = await client.get("/health/live", headers={"Origin": "https://front.example.com"})
        theirs = await client.get("/health/live", headers={"Origin": "https://evil.example.com"})

    assert ours.headers["access-control-allow-origin"] == "https://front.example.com"
    assert "access-control-allow-origin" not in theirs.headers


@pytest.mark.parametrize("path", ["/crash", "/nothing/here"])
async def test_a_listed_front_end_can_read_what_went_wrong(
    settings: Settings, resources: Resources, path: str
) -> None:
    front_end = "https://front.example.com"
    allowed = settings.model_copy(update={"cors_origins": [front_end]})
    app = create_application(allowed, open_resources=given(resources))

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    async with serve(app) as client:
        answer = await client.get(path, headers={"Origin": front_end})

    assert answer.headers["access-control-allow-origin"] == front_end
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
