import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import APIRouter, Request

from app.core.config import Settings
from app.core.resources import Resources
from tests.support.processes import run_process
from tests.support.service import serve, with_settings
from tests.support.waiting import stall_limit

SIGN_UP = "/api/v1/users/signup"
JSON = {"Content-Type": "application/json"}


runs = list[str]()
routes = APIRouter()


@routes.post("/size")
async def measure(request: Request) -> int:
    return len(await request.body())


@routes.post("/unread")
async def leave_unread() -> None:
    runs.append("/unread")


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(with_settings(resources, max_body_size=1000), routes=routes) as client:
        yield client


async def chunks(number: int) -> AsyncIterator[bytes]:
    """Send 100 bytes at a time, without a length announced."""
    for _ in range(number):
        yield b"x" * 100
        await asyncio.sleep(0)  # a real network would let other tasks run, too


async def drip() -> AsyncIterator[bytes]:
    """Send a byte from time to time, without an end."""
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


async def test_a_body_of_the_largest_size_is_accepted(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/size", content=b"x" * 1000)).json() == 1000
    assert (await client.post("/size", content=chunks(10))).json() == 1000


async def test_a_body_that_announces_too_much_is_rejected_before_a_route_runs(
    client: httpx2.AsyncClient,
) -> None:
    runs.clear()
    response = await client.post("/unread", content=b"x" * 1001)

    assert (response.status_code, response.json()["status"]) == (413, 413)
    assert response.headers["connection"] == "close"
    assert runs == []


@pytest.mark.parametrize("path", ["/size", SIGN_UP])
@pytest.mark.parametrize("number", [11, 20_000], ids=["one too many", "far too many"])
async def test_a_chunked_body_is_rejected_at_the_limit(
    client: httpx2.AsyncClient, path: str, number: int
) -> None:
    response = await client.post(path, content=chunks(number), headers=JSON)

    assert (response.status_code, response.json()["status"]) == (413, 413)


async def test_a_response_that_leaves_the_body_unread_closes_the_connection(
    client: httpx2.AsyncClient,
) -> None:
    unread = await client.post("/nothing/here", content=chunks(5))
    read = await client.post("/size", content=chunks(5))
    bodiless = await client.post("/unread")

    assert unread.headers["connection"] == "close"
    assert "connection" not in read.headers
    assert "connection" not in bodiless.headers


async def test_a_body_that_takes_too_long_is_rejected_even_if_bytes_keep_coming(
    resources: Resources,
) -> None:
    impatient = with_settings(resources, body_timeout=0.5, max_body_size=1000)
    async with serve(impatient, routes=routes) as client:
        response = await client.post("/size", content=drip())

    assert (response.status_code, response.json()["status"]) == (408, 408)
    assert response.headers["connection"] == "close"


async def test_the_server_closes_the_connection_of_a_missing_or_endless_body(
    settings: Settings,
) -> None:
    impatient = settings.model_copy(update={"body_timeout": 2, "max_body_size": 1000})
    async with run_process(impatient, "run_api.py", "--port", "0") as api:
        line = await api.wait_for_line("running on")
        port = int(line.split("http://127.0.0.1:")[1].split()[0])
        huge, silent, endless = await asyncio.gather(
            status_of(port, b"Content-Length: 2000000000"),
            status_of(port, b"Content-Length: 100"),
            status_of(port, b"Transfer-Encoding: chunked", b"3e9\r\n" + b"x" * 1001),
        )

    assert (huge, silent, endless) == (413, 408, 413)


async def status_of(port: int, header: bytes, chunk: bytes = b"x") -> int:
    """Sign up with the beginning of a body, and wait until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (SIGN_UP.encode(), header))
    writer.write(chunk)
    async with stall_limit("an answer"):
        response = await reader.read()
    writer.close()
    return int(response.split()[1])


HOSTILE = {
    "100,000 arrays in one another": "[" * 100_000 + "]" * 100_000,
    "100,000 objects in one another": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "nearly as deep as Python goes": '{"email":' + "[" * 900 + "]" * 900 + "}",
    "an integer of a million digits": '{"email": ' + "9" * 1_000_000 + "}",
    "numbers out of range": '{"email": 1e999, "password": -1e999}',
    "what is no number": '{"email": NaN, "password": Infinity}',
    "70,000 fields": json.dumps({str(n): 0 for n in range(70_000)}),
    "one field 90,000 times": "{" + '"email":1,' * 90_000 + '"email":1}',
    "half of a JSON": '{"email": "',
    "no text": "\x00\x01",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_json_is_rejected_fast(resources: Resources, body: str) -> None:
    async with serve(resources) as client:
        began = time.process_time()
        response = await client.post(SIGN_UP, content=body, headers=JSON)

    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) < 1000
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(("path", "status"), [("/size", 413), ("/nothing/here", 404)])
async def test_the_rest_of_a_rejected_body_is_read_so_that_the_client_gets_the_response(
    client: httpx2.AsyncClient, path: str, status: int
) -> None:
    sent = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal sent
        async for chunk in chunks(30):
            sent += len(chunk)
            yield chunk

    assert (await client.post(path, content=counted())).status_code == status
    assert sent == 3000
