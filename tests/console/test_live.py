"""The live parts of pages are read once per process, whatever the number of tabs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx2
import pytest
from sqlalchemy import delete

from app.core import setup
from app.core.http.admission import Admission
from app.core.http.concurrency import ConcurrencyLimiter
from app.core.resources import Resources
from app.core.setup import create_application
from app.models import UserRole, UserSession
from app.routes.console import live, parts
from app.routes.console.live import LiveParts
from app.routes.console.parts import Part
from app.schemas.role import Permission
from app.services import open_streams
from tests.console.conftest import EVERYTHING, create_operator
from tests.core.control.jobs import Paint, add_dead_letter
from tests.support.accounts import Person
from tests.support.service import already_open
from tests.support.uvicorn_server import client_of, listening
from tests.support.waiting import stall_limit

PART = "/console/live/dead-letters"


class Versions:
    """A source of versions of a part, which counts its calls."""

    def __init__(self) -> None:
        self.html = "<p>one</p>"
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.fails = False

    async def produce(self) -> str:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.fails:
            raise OSError("Redis is away")
        return self.html

    async def until_asked(self, times: int) -> None:
        before = self.asked
        while self.asked < before + times:
            await asyncio.sleep(0)


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Versions:
    monkeypatch.setattr(live, "INTERVAL", 0)
    return Versions()


@asynccontextmanager
async def open_tab(parts: LiveParts, versions: Versions) -> AsyncIterator[AsyncIterator[str]]:
    """Watch a part, and yield its events."""
    with parts.watch("key", versions.produce) as watch:
        async with aclosing(watch.events()) as events:
            yield events


async def next_of(events: AsyncIterator[str]) -> str:
    """Return the next version. On a busy machine, a comment may come first."""
    async with stall_limit("a version"):
        while (event := await anext(events)) == ":\n\n":
            pass
        return event


async def test_all_tabs_get_each_version_and_only_one_is_produced_at_a_time(
    versions: Versions,
) -> None:
    shared = LiveParts()
    async with open_tab(shared, versions) as first:
        assert await next_of(first) == "data: <p>one</p>\n\n"
        async with open_tab(shared, versions) as second:
            assert await next_of(second) == "data: <p>one</p>\n\n"
            versions.html = "<p>\ntwo</p>"
            both = [await next_of(first), await next_of(second)]

    assert both == ["data: <p>\ndata: two</p>\n\n"] * 2
    assert versions.most_at_once == 1


async def test_nothing_is_sent_while_nothing_changes(versions: Versions) -> None:
    async with open_tab(LiveParts(), versions) as events:
        await next_of(events)
        waiting = asyncio.create_task(next_of(events))
        await versions.until_asked(5)
        assert not waiting.done()
        versions.html = "<p>two</p>"
        assert await waiting == "data: <p>two</p>\n\n"


async def test_nothing_is_read_while_no_tab_is_open(versions: Versions) -> None:
    async with open_tab(LiveParts(), versions) as events:
        await next_of(events)
    await asyncio.sleep(0)
    asked = versions.asked
    for _ in range(10):
        await asyncio.sleep(0)

    assert versions.asked == asked


async def test_a_part_that_cannot_be_read_for_a_while_comes_back(versions: Versions) -> None:
    versions.fails = True
    async with open_tab(LiveParts(), versions) as events:
        await versions.until_asked(3)
        versions.fails = False

        assert await next_of(events) == "data: <p>one</p>\n\n"


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the streams can see."""
    return committing_resources


@pytest.fixture
async def client(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service that often checks who may still read."""
    monkeypatch.setattr(open_streams, "RECHECK_INTERVAL", 0.1)
    app = create_application(resources.settings, open_resources=already_open(resources))
    async with listening(app) as port, client_of(port) as client:
        yield client


@pytest.fixture
async def reader(resources: Resources) -> Person:
    return await create_operator(resources, "reader", Permission.READ_CONSOLE)


def cookie_of(person: Person) -> dict[str, str]:
    return {"Cookie": f"__Host-session={person.refresh_token}"}


async def test_a_dead_letter_appears_on_an_open_page(
    client: httpx2.AsyncClient, resources: Resources, reader: Person
) -> None:
    async with client.stream("GET", PART, headers=cookie_of(reader)) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        chunks = response.aiter_text()
        assert "No job has failed for good." in await next_of(chunks)
        await add_dead_letter(resources, Paint())
        assert "Paint" in await next_of(chunks)


async def test_only_a_list_of_jobs_that_has_changed_learns_of_a_change(
    client: httpx2.AsyncClient, resources: Resources, reader: Person
) -> None:
    headers, path = cookie_of(reader), "/console/live/jobs"
    async with (
        client.stream("GET", path, params={"subject": "dead"}, headers=headers) as dead,
        client.stream("GET", path, params={"subject": "dead:email"}, headers=headers) as email,
    ):
        all_queues, one_queue = dead.aiter_text(), email.aiter_text()
        first, unchanged = await next_of(all_queues), await next_of(one_queue)
        await add_dead_letter(resources, Paint())
        assert await next_of(all_queues) != first
    assert first == unchanged

    page = await client.get("/console/jobs", params={"state": "dead"}, headers=headers)
    assert f"{path}?subject=dead%3A" in page.text


@pytest.mark.parametrize("subject", ["", "nothing", "running:nothing"])
async def test_a_list_of_jobs_that_does_not_exist_has_no_stream(
    client: httpx2.AsyncClient, reader: Person, subject: str
) -> None:
    path, headers = f"/console/live/jobs?subject={subject}", cookie_of(reader)

    assert (await client.get(path, headers=headers)).status_code == 404


async def test_tabs_of_all_operators_share_one_read(
    client: httpx2.AsyncClient,
    resources: Resources,
    reader: Person,
    versions: Versions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def read(_: Resources, __: str) -> Mapping[str, object]:
        await versions.produce()
        return {"groups": []}

    other = await create_operator(resources, "other", Permission.READ_CONSOLE)
    watched = {"watched": Part("dead_letters_part.html", read)}
    monkeypatch.setattr(parts, "PARTS", watched)
    path = "/console/live/watched"
    async with (
        client.stream("GET", path, headers=cookie_of(reader)) as first,
        client.stream("GET", path, headers=cookie_of(other)) as second,
    ):
        tabs = [
            each.aiter_text() for each in (first, second)
        ]  # without a reference, the tab would be closed
        for tab in tabs:
            await next_of(tab)
        versions.most_at_once = 0
        await versions.until_asked(20)

    assert versions.most_at_once == 1


async def test_a_tab_shows_only_actions_that_its_reader_may_take(
    client: httpx2.AsyncClient, resources: Resources, reader: Person
) -> None:
    operator = await create_operator(resources, "operator", *EVERYTHING)
    path = "/console/live/overview"
    async with (
        client.stream("GET", path, headers=cookie_of(operator)) as first,
        client.stream("GET", path, headers=cookie_of(reader)) as second,
    ):
        of_operator, of_reader = [await next_of(each.aiter_text()) for each in (first, second)]

    assert "/console/queues/base/pause" in of_operator
    assert "/console/queues/base/pause" not in of_reader
    assert "base" in of_reader


def test_live_parts_are_read_at_least_once_a_second() -> None:
    assert live.INTERVAL < 1


@pytest.mark.parametrize("end", ["session", "permission"])
async def test_a_stream_ends_with_the_session_and_with_the_permission(
    client: httpx2.AsyncClient, resources: Resources, reader: Person, end: str
) -> None:
    table = UserSession if end == "session" else UserRole
    async with client.stream("GET", PART, headers=cookie_of(reader)) as response:
        chunks = response.aiter_text()
        await anext(chunks)
        async with resources.unit_of_work() as uow:
            await uow.session.execute(delete(table).where(table.user_id == reader.id))
        async with stall_limit("the end"):
            assert [chunk async for chunk in chunks if chunk != ":\n\n"] == []


async def test_a_stream_does_not_count_as_a_request_in_flight(
    resources: Resources, reader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Admission] = []

    class Remembered(Admission):
        def __init__(self, limit: int, limiter: ConcurrencyLimiter) -> None:
            super().__init__(limit, limiter)
            made.append(self)

    monkeypatch.setattr(setup, "Admission", Remembered)
    app = create_application(resources.settings, open_resources=already_open(resources))
    async with (
        listening(app) as port,
        client_of(port) as client,
        client.stream("GET", PART, headers=cookie_of(reader)) as response,
    ):
        chunks = response.aiter_text()
        await anext(chunks)
        assert [admission.in_flight for admission in made] == [0]
