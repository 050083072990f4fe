"""The states of a job as a stream, from the server that clients connect to."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from app.core.broker.client import QueueRedis
from app.core.config import Settings
from app.core.control.cancellation import cancel
from app.core.job_store.outbox import message_of, outbox
from app.core.queue import BASE, Job
from app.core.resources import Resources
from app.core.security.access_tokens import AccessToken, issue_access_token
from app.core.setup import create_application
from app.core.worker.settings import WorkerSettings, worker_settings
from app.models import JobOwner
from app.services import open_streams
from app.services.auth.session_service import SessionService
from app.workers.context import JobContext
from dev.processes import free_port
from tests.support.accounts import API, Person, bearer, create_user, open_user_scope
from tests.support.event_stream import EventStream, open_stream
from tests.support.processes import run_process
from tests.support.service import already_open, with_settings
from tests.support.uvicorn_server import client_of, listening
from tests.support.workers import RunWorker


class Paint(Job, queue=BASE, max_tries=2, backoff=0.001):
    pass


Handler = Callable[[JobContext, Paint], Awaitable[object]]
Watch = Callable[[UUID], AbstractAsyncContextManager[EventStream]]


def painting(handler: Handler) -> WorkerSettings:
    async def paint(ctx: JobContext, job: Paint) -> object:
        return await handler(ctx, job)

    return worker_settings(BASE, handlers=[paint], settings=Settings(_env_file=None))


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker, its outbox relay, and the streams can see."""
    return with_settings(committing_resources, max_streams_per_user=2, max_streams=3)


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
async def ada(resources: Resources) -> Person:
    return await create_user(resources)


@pytest.fixture
def watch(client: httpx2.AsyncClient, ada: Person) -> Watch:
    """Open a stream as the owner of the job."""

    @asynccontextmanager
    async def watch(job_id: UUID) -> AsyncIterator[EventStream]:
        async with open_stream(client, path_of(job_id), ada.headers) as stream:
            assert stream.response.status_code == 200
            yield stream

    return watch


def path_of(job_id: UUID) -> str:
    return f"{API}/jobs/{job_id}/events"


async def enqueue(resources: Resources, owner: Person) -> UUID:
    async with resources.unit_of_work() as uow:
        job_id = uow.enqueue(Paint())
        uow.session.add(JobOwner(job_id=job_id, user_id=owner.id))
    return job_id


def begin(work: Awaitable[None]) -> asyncio.Future[None]:
    return asyncio.ensure_future(work)


async def test_a_stream_shows_a_job_from_the_queue_to_its_result(
    resources: Resources, run_worker: RunWorker, watch: Watch, ada: Person
) -> None:
    seen = asyncio.Event()

    async def paint(ctx: JobContext, _: Paint) -> str:
        await ctx.progress(0.4, "mixed the colors")
        await seen.wait()
        return "red"

    job_id = await enqueue(resources, ada)
    async with watch(job_id) as stream:
        first = await stream.next()
        assert first is not None
        assert (first.state, first.retry) == ("queued", 2000)

        work = begin(run_worker(painting(paint)))
        while (event := await stream.until("running")).data["progress"] is None:
            pass
        assert event.data["progress"] == 0.4
        assert event.data["progress_message"] == "mixed the colors"
        seen.set()
        last = (await stream.rest())[-1]
        await work

    assert (last.state, last.data["result"]) == ("succeeded", "red")


async def test_a_stream_continues_through_a_retry_and_ends_with_the_dead_letter(
    resources: Resources, run_worker: RunWorker, watch: Watch, ada: Person
) -> None:
    seen = asyncio.Event()

    async def paint(ctx: JobContext, _: Paint) -> None:
        if ctx.attempt > 1:
            await seen.wait()
        raise OSError("no paint")

    job_id = await enqueue(resources, ada)
    async with watch(job_id) as stream:
        work = begin(run_worker(painting(paint)))
        while (await stream.until("running")).data["attempt"] < 2:
            pass
        seen.set()
        last = (await stream.rest())[-1]
        await work

    assert (last.state, last.data["attempt"]) == ("failed", 2)
    assert last.data["error"] == "OSError: no paint"


async def test_a_canceled_job_ends_its_stream(
    resources: Resources, watch: Watch, ada: Person
) -> None:
    job_id = await enqueue(resources, ada)
    async with watch(job_id) as stream:
        await stream.next()
        await cancel(resources.sessions, resources.queues, job_id)

        assert [event.state for event in await stream.rest()] == ["cancelled"]


async def test_a_finished_job_is_a_single_event_and_the_client_does_not_reconnect(
    resources: Resources, run_worker: RunWorker, client: httpx2.AsyncClient, ada: Person
) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        pass

    job_id = await enqueue(resources, ada)
    await run_worker(painting(paint))
    async with open_stream(client, path_of(job_id), ada.headers) as stream:
        [event] = await stream.rest()
    again = await client.get(
        path_of(job_id), headers=ada.headers | {"Last-Event-ID": str(event.id)}
    )

    assert event.state == "succeeded"
    assert (again.status_code, again.content) == (204, b"")


async def test_a_stream_shows_a_job_that_was_never_sent(
    resources: Resources, run_worker: RunWorker, watch: Watch, ada: Person
) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        pass

    job_id = await enqueue(resources, ada)
    await resources.queues[BASE].flushdb()
    async with watch(job_id) as stream:
        first = await stream.next()
        assert first is not None
        assert first.state == "queued"
        async with resources.unit_of_work() as uow:
            row = (await uow.session.execute(select(outbox).where(outbox.c.id == job_id))).one()
        await resources.queues.post([message_of(row)])
        await run_worker(painting(paint))

        assert (await stream.rest())[-1].state == "succeeded"


async def lose_subscription(redis: QueueRedis) -> None:
    """Close the connections of this test that subscribe, but none of other test processes."""
    database = (await redis.client_info())["db"]
    subscribed = await redis.client_list(_type="pubsub")
    own = [client["id"] for client in subscribed if int(client["db"]) == database]
    assert own
    for number in own:
        await redis.client_kill_filter(_id=number)


async def test_a_stream_survives_a_lost_subscription(
    resources: Resources, run_worker: RunWorker, watch: Watch, ada: Person
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def paint(_: JobContext, __: Paint) -> None:
        started.set()
        await go_on.wait()

    job_id = await enqueue(resources, ada)
    async with watch(job_id) as stream:
        work = begin(run_worker(painting(paint)))
        await stream.until("running")
        await lose_subscription(resources.queues[BASE])
        go_on.set()
        await work

        assert (await stream.rest())[-1].state == "succeeded"


async def test_a_stream_ends_with_the_session_of_its_reader(
    resources: Resources, watch: Watch, ada: Person
) -> None:
    async with watch(await enqueue(resources, ada)) as stream:
        await stream.next()
        async with open_user_scope(resources, ada) as scope:
            await SessionService(scope).end(ada.session_id)

        assert await stream.rest() == []


async def test_a_stream_ends_when_the_access_token_expires(
    resources: Resources, client: httpx2.AsyncClient, ada: Person
) -> None:
    short = resources.settings.model_copy(update={"access_token_lifetime": 2})
    headers = bearer(issue_access_token(short, AccessToken(ada.id, ada.session_id)))
    job_id = await enqueue(resources, ada)
    async with open_stream(client, path_of(job_id), headers) as stream:
        assert [event.state for event in await stream.rest()] == ["queued"]


async def test_a_stream_is_only_for_users_who_may_read_the_job(
    resources: Resources, client: httpx2.AsyncClient, ada: Person
) -> None:
    job_id = await enqueue(resources, ada)
    stranger = await create_user(resources, "eve")

    assert (await client.get(path_of(job_id))).status_code == 401
    assert (await client.get(path_of(job_id), headers=stranger.headers)).status_code == 403


async def test_the_streams_of_a_user_and_of_a_process_are_limited(
    resources: Resources, client: httpx2.AsyncClient, watch: Watch, ada: Person
) -> None:
    job_id = await enqueue(resources, ada)
    root, other = [await create_user(resources, n, superuser=True) for n in ("root", "other")]
    async with watch(job_id), watch(job_id):
        third = await client.get(path_of(job_id), headers=ada.headers)
        async with open_stream(client, path_of(job_id), root.headers) as of_root:
            assert of_root.response.status_code == 200
            fourth = await client.get(path_of(job_id), headers=other.headers)
    async with watch(job_id) as stream:  # the places are free again
        assert await stream.next()

    assert (third.status_code, third.headers["Retry-After"]) == (429, "10")
    assert (fourth.status_code, fourth.headers["Retry-After"]) == (503, "5")


async def test_a_deploy_does_not_wait_for_open_streams(resources: Resources, ada: Person) -> None:
    job_id = await enqueue(resources, ada)
    port = free_port()
    api = ("run_api.py", "--port", str(port))
    settings = resources.settings.model_copy(update={"shutdown_delay": 0})
    async with run_process(settings, *api) as process:
        await process.wait_for_line("Uvicorn running on")
        async with (
            process.reading_output(),
            client_of(port) as client,
            open_stream(client, path_of(job_id), ada.headers) as stream,
        ):
            assert await stream.next()
            process.signal(signal.SIGTERM)
            assert await stream.rest() == []
        assert await process.wait_for_exit() == 0
