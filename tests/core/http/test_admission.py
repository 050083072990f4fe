"""Requests that cannot be served soon are rejected at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.http.admission import Admission
from app.core.http.concurrency import ConcurrencyLimiter
from app.core.resources import Resources
from app.core.setup import create_application
from tests.support.service import already_open, serve
from tests.support.uvicorn_server import client_of, listening
from tests.support.waiting import wait_until

FRONT_END = "https://front.example.com"
LIMIT = 3


class Work:
    """Requests that last until the test releases them."""

    def __init__(self) -> None:
        self.started = 0
        self.may_end = asyncio.Event()

    async def all_started(self) -> bool:
        return self.started >= LIMIT


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def app(settings: Settings, resources: Resources, work: Work) -> FastAPI:
    changes = {"max_requests_in_flight": LIMIT, "cors_origins": [FRONT_END]}
    app = create_application(
        settings.model_copy(update=changes), open_resources=already_open(resources)
    )

    @app.post("/work")
    async def do_work() -> str:
        work.started += 1
        await work.may_end.wait()
        return "done"

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(app) as client:
        yield client


@pytest.fixture
async def busy(client: httpx2.AsyncClient, work: Work) -> AsyncIterator[asyncio.Future[list[int]]]:
    """The maximum number of requests in flight."""

    async def status() -> int:
        return (await client.post("/work")).status_code

    in_flight = asyncio.gather(*(status() for _ in range(LIMIT)))
    await wait_until(work.all_started)
    yield in_flight
    work.may_end.set()
    await in_flight


@pytest.mark.usefixtures("busy")
async def test_a_request_beyond_the_limit_gets_a_503_with_retry_after(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post("/work", json={"some": "body"})

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 503
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("busy")
async def test_a_front_end_can_read_that_the_service_is_too_busy(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post("/work", headers={"Origin": FRONT_END})

    assert response.status_code == 503
    assert response.headers["access-control-allow-origin"] == FRONT_END


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_health_checks_pass_while_the_service_is_busy(
    client: httpx2.AsyncClient, path: str
) -> None:
    assert (await client.get(path)).status_code == 200


async def test_requests_in_flight_finish_and_the_next_ones_are_served(
    client: httpx2.AsyncClient, work: Work, busy: asyncio.Future[list[int]]
) -> None:
    assert (await client.post("/work")).status_code == 503

    work.may_end.set()
    assert await busy == [200] * LIMIT
    assert (await client.post("/work")).status_code == 200


@pytest.mark.usefixtures("busy")
async def test_an_overload_is_logged_without_a_line_per_request(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        for _ in range(10):
            await client.post("/work")

    assert [line["event"] for line in lines] == ["requests.rejected"]


async def test_a_request_that_would_wait_for_long_is_rejected_at_once() -> None:
    limiter = ConcurrencyLimiter(1)
    admission = Admission(limit=1_000, limiter=limiter, max_wait=0.02)
    assert limiter.try_acquire()
    line = [asyncio.create_task(limiter.acquire()) for _ in range(60)]

    fullness = []
    for _ in range(10):
        await asyncio.sleep(0.005)
        limiter.release()
    fullness.append(admission.is_full)
    for _ in range(51):
        limiter.release()
    fullness.append(admission.is_full)
    await asyncio.gather(*line)

    assert fullness == [True, False]


def test_the_limit_follows_the_connections_of_the_pool(settings: Settings) -> None:
    pool = {"database_pool_size": 4, "database_max_overflow": 2}

    assert settings.model_copy(update=pool).request_limit == 300
    assert settings.model_copy(update=pool | {"max_requests_in_flight": 7}).request_limit == 7


GET = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"POST /work HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
HALF, OTHER_HALF = GET[:20], GET[20:]


@pytest.fixture
async def busy_port(app: FastAPI, work: Work) -> AsyncIterator[int]:
    """A real server with as many requests in flight as are allowed."""
    async with listening(app) as port, client_of(port) as client:
        in_flight = [asyncio.create_task(client.post("/work")) for _ in range(LIMIT)]
        await wait_until(work.all_started)
        yield port
        work.may_end.set()
        await asyncio.gather(*in_flight)


async def answers_to(port: int, *parts: bytes) -> list[bytes]:
    """Send parts of requests on one connection, and return the responses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.01)  # two packets
    with suppress(OSError):  # the server may have closed the connection
        writer.write_eof()
    responses = b""
    while data := await reader.read(65_536):
        responses += data
    writer.close()
    return responses.split(b"HTTP/1.1 ")[1:]


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_a_rejected_client_keeps_its_connection(busy_port: int, request_: bytes) -> None:
    responses = await answers_to(busy_port, request_, request_)

    assert len(responses) == 2
    for response in responses:
        assert response.startswith(b"503 ")
        assert b"application/problem+json" in response
        assert b"retry-after: 1\r\n" in response
        assert b"x-content-type-options: nosniff" in response


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ([HEALTH], [b"200"]),
        ([GET, HEALTH, GET], [b"503", b"200", b"503"]),
        ([HALF, OTHER_HALF], [b"503"]),
        ([GET + GET], [b"503", b"503"]),
        ([CHUNKED], [b"503"]),
    ],
    ids=["a health check", "one between others", "two packets", "one packet", "chunks"],
)
async def test_a_busy_server_answers_requests_in_their_order(
    busy_port: int, parts: list[bytes], statuses: list[bytes]
) -> None:
    responses = await answers_to(busy_port, *parts)

    assert [response[:3] for response in responses] == statuses


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Content-Length:\t%d", b"503"),
        (b"Content-Length: 0\r\nContent-Length: %d", b"400"),
        (b"Content-Length: 0, %d", b"400"),
        (b"X: x\nContent-Length: %d", b"400"),
        (b"X: x\nTransfer-Encoding: chunked", b"400"),
        (b" Transfer-Encoding: chunked", b"400"),
    ],
    ids=["a tab", "two lengths", "a list", "no CR", "chunks without CR", "a folded line"],
)
async def test_a_body_is_no_request_of_its_own(busy_port: int, line: bytes, status: bytes) -> None:
    """A busy server answers most requests without its parser, but never reads a body as a request.

    A proxy would give the response to another client.
    """
    head = b"POST /work HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n"
    sent = head % (line.replace(b"%d", b"%d" % len(HEALTH)))

    responses = await answers_to(busy_port, sent, HEALTH)

    assert [response[:3] for response in responses] == [status]
