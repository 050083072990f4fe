"""A limited number of requests is worked on at once. The others wait in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from fastapi import FastAPI, Request

from app.core.http.concurrency import ConcurrencyLimiter, LimitedConcurrency
from tests.support.uvicorn_server import client_of, listening
from tests.support.waiting import wait_until

PERMITS = 2
FOREVER = 3_600.0


@dataclass
class Work:
    """A route on a real server, whose requests last until the test releases them."""

    limiter: ConcurrencyLimiter = field(default_factory=lambda: ConcurrencyLimiter(PERMITS))
    begun: list[str] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, name: str) -> None:
        self.begun.append(name)
        await self.may_end.wait()

    async def is_full(self) -> bool:
        return len(self.begun) == PERMITS

    async def wait_for_line(self, length: int) -> None:
        async def has_length() -> bool:
            return self.limiter.waiting == length

        await wait_until(has_length)


@pytest.fixture
def work() -> Work:
    return Work()


@asynccontextmanager
async def serving(work: Work, *, patience: float = FOREVER) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.add_middleware(LimitedConcurrency, limiter=work.limiter, patience=patience)

    @app.api_route("/slow/{name}", methods=["GET", "POST"])
    async def do_work(name: str, request: Request) -> str:
        await work.do(name)
        return (await request.body()).decode()

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("the route failed")

    @app.get("/health/live")
    async def live() -> str:
        return "alive"

    async with listening(app) as port, client_of(port) as client:
        yield client


@pytest.fixture
async def client(work: Work) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(work) as client:
        yield client


@pytest.fixture
async def busy(client: httpx2.AsyncClient, work: Work) -> AsyncIterator[None]:
    """All permits are in use."""
    async with asyncio.TaskGroup() as group:
        for number in range(PERMITS):
            group.create_task(client.get(f"/slow/{number}", timeout=None))
        await wait_until(work.is_full)
        yield
        work.may_end.set()


@pytest.mark.usefixtures("busy")
async def test_requests_without_a_permit_wait_and_take_their_turns_in_order(
    client: httpx2.AsyncClient, work: Work
) -> None:
    async with asyncio.TaskGroup() as group:
        for position, name in enumerate(["first", "second", "third"], start=1):
            group.create_task(client.get(f"/slow/{name}", timeout=None))
            await work.wait_for_line(position)
        assert len(work.begun) == PERMITS
        work.may_end.set()

    assert work.begun[PERMITS:] == ["first", "second", "third"]


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(("method", "body"), [("GET", ""), ("POST", "a body")])
async def test_a_request_that_has_waited_arrives_whole(
    client: httpx2.AsyncClient, work: Work, method: str, body: str
) -> None:
    waiting = asyncio.create_task(
        client.request(method, "/slow/later", content=body or None, timeout=None)
    )
    await work.wait_for_line(1)
    work.may_end.set()

    assert (await waiting).json() == body


@pytest.mark.usefixtures("busy")
async def test_a_client_that_left_while_it_waited_costs_nothing(
    client: httpx2.AsyncClient, work: Work
) -> None:
    leaving = asyncio.create_task(client.get("/slow/left", timeout=None))
    await work.wait_for_line(1)
    leaving.cancel()
    await asyncio.wait([leaving])
    staying = asyncio.create_task(client.get("/slow/stayed", timeout=None))
    await work.wait_for_line(2)
    work.may_end.set()

    assert (await staying).status_code == 200
    assert work.begun[PERMITS:] == ["stayed"]


@pytest.mark.usefixtures("busy")
async def test_health_checks_do_not_wait(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == "alive"


async def test_a_request_that_takes_long_lets_others_begin(work: Work) -> None:
    async with serving(work, patience=0.01) as client, asyncio.TaskGroup() as group:
        for number in range(3 * PERMITS):
            group.create_task(client.get(f"/slow/{number}", timeout=None))

        async def all_have_begun() -> bool:
            return len(work.begun) == 3 * PERMITS

        await wait_until(all_have_begun)
        work.may_end.set()


async def test_permits_come_back_whatever_becomes_of_the_request(
    client: httpx2.AsyncClient, work: Work
) -> None:
    for _ in range(PERMITS + 1):
        assert (await client.get("/crash")).status_code == 500

    work.may_end.set()
    assert (await client.get("/slow/next")).status_code == 200


async def test_a_permit_that_comes_together_with_a_cancellation_is_not_lost() -> None:
    limiter = ConcurrencyLimiter(1)
    assert limiter.try_acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)

    limiter.release()
    waiting.cancel()
    await asyncio.wait([waiting])

    assert limiter.try_acquire()


async def test_the_expected_wait_grows_with_the_line() -> None:
    limiter = ConcurrencyLimiter(1)
    assert limiter.try_acquire()
    assert limiter.expected_wait_behind(0) == 0

    line = [asyncio.create_task(limiter.acquire()) for _ in range(20)]
    for _ in range(10):
        await asyncio.sleep(0.002)
        limiter.release()
    long = limiter.expected_wait_behind(0)
    for _ in range(9):
        limiter.release()
    short = limiter.expected_wait_behind(0)

    assert limiter.waiting == 1
    assert 0 < short < long
    limiter.release()
    await asyncio.gather(*line)
