import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import structlog
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from app.core.resources import Resources
from app.routes.deps.request import AnonymousScope
from tests.support.service import serve, with_settings

FRONT = "https://front.example.com"

routes = APIRouter()


@routes.get("/crash")
async def crash() -> None:
    raise RuntimeError("a secret that no client may read")


@routes.get("/sleep")
async def sleep(scope: AnonymousScope) -> None:
    await scope.uow.session.execute(text("SET LOCAL statement_timeout = '20ms'"))
    await scope.uow.session.execute(text("SELECT pg_sleep(10)"))


@routes.get("/syntax")
async def syntax(scope: AnonymousScope) -> None:
    await scope.uow.session.execute(text("SELEKT"))


@routes.get("/half")
async def half() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        yield "first line"
        raise RuntimeError("too late for a 500")

    return StreamingResponse(lines())


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(resources, routes=routes) as client:
        yield client


async def test_a_response_that_fails_halfway_is_cut_off_by_the_server(
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


async def test_a_crash_is_explained_in_the_log_but_not_to_the_client(
    client: httpx2.AsyncClient,
) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await client.get("/crash")

    assert "secret" not in answer.text
    [crash] = [line for line in lines if line["event"] == "request.crashed"]
    assert crash["route"] == "/crash"


async def test_a_method_that_is_not_allowed_names_those_that_are(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.delete("/api/v1/login/access-token")

    assert answer.headers["allow"] == "POST"


async def test_a_busy_database_asks_the_client_to_try_again(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/sleep")

    assert int(answer.headers["retry-after"]) > 0


async def test_simultaneous_requests_have_ids_of_their_own(client: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get("/nothing") for _ in range(20)))

    ids = [answer.json()["request_id"] for answer in answers]
    assert ids == [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 20


async def test_the_openapi_describes_problems_as_they_are_sent(client: httpx2.AsyncClient) -> None:
    openapi = (await client.get("/openapi.json")).json()

    signup = openapi["paths"]["/api/v1/users/signup"]["post"]["responses"]
    assert signup["409"]["content"].keys() == {"application/problem+json"}
    assert {
        media_type
        for path in openapi["paths"].values()
        for operation in path.values()
        for media_type in operation["responses"]["default"]["content"]
    } == {"application/problem+json"}
    assert (await client.get("/openapi.json")).json() == openapi


async def test_a_listed_origin_may_call_and_another_may_not(resources: Resources) -> None:
    async with serve(with_settings(resources, cors_origins=[FRONT]), routes=routes) as client:
        ours = await client.get("/health/live", headers={"Origin": FRONT})
        theirs = await client.get("/health/live", headers={"Origin": "https://evil.example.com"})

    assert ours.headers["access-control-allow-origin"] == FRONT
    assert "access-control-allow-origin" not in theirs.headers


@pytest.mark.parametrize("path", ["/crash", "/nothing/here"])
async def test_a_listed_front_end_can_read_what_went_wrong(resources: Resources, path: str) -> None:
    async with serve(with_settings(resources, cors_origins=[FRONT]), routes=routes) as client:
        answer = await client.get(path, headers={"Origin": FRONT})

    assert answer.headers["access-control-allow-origin"] == FRONT
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
