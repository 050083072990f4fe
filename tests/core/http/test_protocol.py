import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from app.core.http.admission import Admission
from app.core.http.concurrency import ConcurrencyLimiter
from app.core.http.protocol import BoundedHttp
from app.core.http.shutdown import Shutdown
from tests.support.waiting import STALLED_AFTER, stall_limit, wait_until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
LARGE = 40_000_000
GET_LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"


class SmallHeads(BoundedHttp):
    max_head_size = 1000
    head_timeout = STALLED_AFTER


class QuickHeads(SmallHeads):
    head_timeout = 0.1


class QuickResponses(SmallHeads):
    write_timeout = 0.2


async def measure(scope: Scope, receive: Receive, send: Send) -> None:
    size = len(await Request(scope, receive).body())
    text = "x" * LARGE if scope["path"] == "/large" else f"<{size}>"
    if cookies := Request(scope).cookies:
        text = f"<{', '.join(cookies)}>"
    await PlainTextResponse(text)(scope, receive, send)


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(
    protocol: type[BoundedHttp] = SmallHeads,
    *,
    app_state: dict[str, object] | None = None,
    keep_alive: int = 5,
    state: ServerState | None = None,
) -> AsyncIterator[Connection]:
    config = Config(measure, log_config=None, lifespan="off", timeout_keep_alive=keep_alive)
    state = state or ServerState()
    async with connections(1, lambda: protocol(config, state, app_state or {})) as [connection]:
        yield connection


@asynccontextmanager
async def connections(
    number: int, protocol: Callable[[], BoundedHttp]
) -> AsyncIterator[list[Connection]]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server, AsyncExitStack() as stack:
        opened = []
        for _ in range(number):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            stack.push_async_callback(writer.wait_closed)
            stack.callback(writer.close)
            opened.append((reader, writer))
        yield opened


async def everything(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes the connection."""
    async with stall_limit("the end of the connection"):
        return await reader.read()


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with stall_limit("an answer"):
        return await reader.readuntil(b">")


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        (GET, b"X-A: " + b"x" * 1000),
        (GET, b"X-A: xxxxx\r\n" * 100),
        (b"GET ", b"/" + b"x" * 1000),
        (POST + b"\r\n", b"1;" + b"x" * 1000),
        (POST + b"\r\n1\r\nx\r\n", b"0\r\nX-A: " + b"x" * 1000),
    ],
    ids=["a header", "headers", "a path", "a chunk's extension", "a trailer"],
)
async def test_an_endless_request_head_is_rejected(beginning: bytes, rest: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(beginning)
        await asyncio.sleep(0.01)  # two packets
        writer.write(rest)
        rejection = await everything(reader)

    assert rejection.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", GET], ids=["nothing", "a line", "a head"])
async def test_a_connection_without_a_complete_request_head_is_closed(beginning: bytes) -> None:
    async with connected(QuickHeads) as (reader, writer):
        writer.write(beginning)

        assert await everything(reader) == b""


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 4\r\n\r\nbody",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"X-A: 1\r\n" * 200 + b"\r\n",
        b"X-A: " + b"x" * 9000 + b"\r\n\r\n",
    ],
    ids=["a body", "chunks", "many headers", "a long header"],
)
async def test_a_refused_websocket_is_closed(rest: bytes) -> None:
    """An open one would be open forever, and no shutdown would be clean."""
    state = ServerState()
    async with connected(BoundedHttp, state=state) as (reader, writer):
        writer.write(GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n" + rest)
        await everything(reader)

        assert state.connections == set()


async def test_a_cookie_that_would_take_seconds_to_read_is_ignored() -> None:
    costly = b'Cookie: evil="' + rb"\"" * 450 + b'"\r\n'
    async with connected() as (reader, writer):
        for head in GET, GET + costly:
            writer.write(head + b"Cookie: good=1\r\n\r\n")
            assert (await answer(reader)).endswith(b"<good>")


async def test_the_second_request_of_a_connection_has_the_same_limits() -> None:
    async with connected(QuickHeads) as (reader, writer):
        writer.write(GET + b"\r\n")
        assert (await answer(reader)).endswith(b"<0>")
        writer.write(GET)
        assert await everything(reader) == b""


async def test_many_requests_and_a_large_body_work_on_one_connection() -> None:
    async with connected() as (reader, writer):
        for _ in range(50):
            writer.write(GET + b"\r\n")
            assert (await answer(reader)).endswith(b"<0>")
        writer.write(POST + b"\r\n" + b"1f4\r\n" + b"x" * 500 + b"\r\n")
        for _ in range(8):
            await asyncio.sleep(0.02)
            writer.write(b"1f4\r\n" + b"x" * 500 + b"\r\n")
        writer.write(b"0\r\n\r\n")
        assert (await answer(reader)).endswith(b"<4500>")


async def test_a_client_that_does_not_read_its_response_is_dropped() -> None:
    state = ServerState()

    async def is_dropped() -> bool:
        return not state.connections

    async with connected(QuickResponses, state=state) as (reader, writer):
        writer.write(GET_LARGE)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await wait_until(is_dropped)


async def test_a_client_that_reads_slowly_gets_the_whole_response() -> None:
    async with connected(QuickResponses) as (reader, writer):
        writer.write(GET_LARGE)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(QuickResponses.write_timeout / 4)
            await reader.readexactly(LARGE // 20)


def overloaded() -> dict[str, object]:
    """Return the state of a service that rejects every request."""
    admission = Admission(limit=0, limiter=ConcurrencyLimiter(1))
    admission.prepare_rejection([])
    return {"admission": admission, "shutdown": Shutdown()}


async def rejection(reader: asyncio.StreamReader) -> bytes:
    async with stall_limit("a rejection"):
        return await reader.readuntil(b"}")


async def test_a_client_that_was_rejected_and_asks_no_more_loses_its_connection() -> None:
    async with connected(app_state=overloaded(), keep_alive=1) as (reader, writer):
        writer.write(GET + b"\r\n")

        assert (await rejection(reader)).startswith(b"HTTP/1.1 503 ")
        assert await everything(reader) == b""


async def test_a_client_that_is_rejected_repeatedly_keeps_its_connection() -> None:
    state = ServerState()
    async with connected(app_state=overloaded(), keep_alive=3600, state=state) as (reader, writer):
        for _ in range(2):
            writer.write(GET + b"\r\n")
            assert (await rejection(reader)).startswith(b"HTTP/1.1 503 ")
            [protocol] = state.connections
            assert isinstance(protocol, BoundedHttp)
            protocol.timeout_keep_alive_handler()  # as if the time limit were over


async def test_rejections_that_a_client_does_not_read_do_not_fill_the_memory() -> None:
    state = ServerState()

    async def is_connected() -> bool:
        return bool(state.connections)

    async with connected(BoundedHttp, app_state=overloaded(), state=state) as (_, writer):
        await wait_until(is_connected)
        [protocol] = state.connections
        assert isinstance(protocol, BoundedHttp)
        while not protocol.flow.write_paused:
            protocol.data_received(GET + b"\r\n")
        for _ in range(2):
            protocol.data_received(GET + b"\r\n")
        assert protocol.flow.read_paused
        writer.transport.abort()


async def test_the_rest_of_a_head_is_not_taken_for_a_request_that_can_be_rejected() -> None:
    """Otherwise, the next request would become a header of the unfinished one."""
    state = overloaded()
    admission = cast("Admission", state["admission"])
    admission.limit = 1
    async with connected(BoundedHttp, app_state=state) as (reader, writer):
        writer.write(GET + b"\r\n" + b"POST /other HTTP/1.1\r\nX-A: ")
        assert (await answer(reader)).endswith(b"<0>")

        admission.limit = 0
        writer.write(GET + b"Content-Length: 3\r\n\r\nabc")

        assert (await answer(reader)).endswith(b"<3>")


async def test_of_many_requests_at_once_only_those_within_the_limit_are_started() -> None:
    admission = Admission(limit=2, limiter=ConcurrencyLimiter(1))
    admission.prepare_rejection([])
    started: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started.append(scope)
        await PlainTextResponse("{}")(scope, receive, send)

    config = Config(app, log_config=None, lifespan="off")
    state: dict[str, object] = {"admission": admission, "shutdown": Shutdown()}
    async with connections(20, lambda: BoundedHttp(config, ServerState(), state)) as opened:
        for _, writer in opened:
            writer.write(GET + b"\r\n")
        first = [await rejection(reader) for reader, _ in opened]
        opened[0][1].write(GET + b"\r\n")
        later = await rejection(opened[0][0])

    assert [answer[9:12] for answer in first] == [b"200"] * 2 + [b"503"] * 18
    assert later.startswith(b"HTTP/1.1 200 ")
    assert len(started) == 3


async def test_requests_that_do_not_start_yet_take_no_place_of_others() -> None:
    admission = Admission(limit=2, limiter=ConcurrencyLimiter(1))
    admission.prepare_rejection([])
    config = Config(PlainTextResponse("{}"), log_config=None, lifespan="off")
    state: dict[str, object] = {"admission": admission, "shutdown": Shutdown()}

    async with connections(3, lambda: BoundedHttp(config, ServerState(), state)) as opened:
        pipelined, checks, single = opened
        pipelined[1].write((GET + b"\r\n") * 10)
        checks[1].write(GET.replace(b"GET / ", b"GET /health/live ") + b"\r\n")
        single[1].write(GET + b"\r\n")
        answers = [await rejection(reader) for reader, _ in opened]

    assert [answer[9:12] for answer in answers] == [b"200"] * 3
