"""The ground that every test stands on: real servers, a database and Redis databases of its own."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker, create_async_engine
from starlette.types import Receive, Scope, Send

from app.core.completions import Completions
from app.core.config import Settings
from app.core.database import Database, open_database
from app.core.mailer import Mailer
from app.core.queue import QUEUES, Queue, QueuePools
from app.core.redis import open_pools
from app.core.resources import OpenResources, Resources, open_resources
from app.core.setup import create_application
from app.core.throttle import Throttle, open_throttle
from app.core.worker.runner import create_worker
from app.core.worker.settings import WorkerSettings, worker_settings
from app.dev.mail_catcher import MailCatcher
from app.dev.postgres import postgres
from app.dev.valkey import valkey
from app.models import Base

ROOT = Path(__file__).parent.parent
TEMPLATE = "template_of_tests"
REDIS_DATABASES_PER_WORKER = 16

servers_key = pytest.StashKey["Servers"]()
stack_key = pytest.StashKey[ExitStack]()


@dataclass(frozen=True)
class Servers:
    """The URLs of the servers of this run, without a database."""

    postgres: str
    redis: str


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that steers the others."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    if hasattr(config, "workerinput"):
        config.stash[servers_key] = Servers(**config.workerinput["servers"])
        return
    if config.option.help or config.option.version:
        return
    stack = config.stash[stack_key] = ExitStack()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tests-", dir=memory)))
    servers = config.stash[servers_key] = Servers(
        postgres=stack.enter_context(postgres(folder / "postgres", durable=False)),
        redis=stack.enter_context(valkey(folder / "valkey", durable=False, databases=1024)),
    )
    command.upgrade(alembic_config(settings_for(servers, TEMPLATE, 0)), "head")


def pytest_configure_node(node: object) -> None:
    """Tell a process of pytest-xdist where the servers are."""
    node.workerinput["servers"] = vars(node.config.stash[servers_key])  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    if stack := config.stash.get(stack_key, None):
        stack.close()


def settings_for(servers: Servers, database: str, number: int, **changes: object) -> Settings:
    """Build settings that owe nothing to the environment."""
    first = number * REDIS_DATABASES_PER_WORKER
    values: dict[str, object] = {
        "environment": "test",
        "database_url": str(
            make_url(servers.postgres).set(database=database).render_as_string(hide_password=False)
        ),
        "redis_url": f"{servers.redis}/{first}",
        "queue_redis_urls": {q.name: f"{servers.redis}/{first + q.redis_db}" for q in QUEUES},
        "public_url": "https://service.example.com",
        "worker_grace_period": 5,
        "throttle_attempts_per_address": 1_000,
    }
    return Settings(_env_file=None, **values | changes)  # type: ignore[arg-type]


def alembic_config(settings: Settings) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["settings"] = settings
    return config


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    return pytestconfig.stash[servers_key]


@pytest.fixture(scope="session")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailCatcher]:
    with MailCatcher(tmp_path_factory.mktemp("mail")) as catcher:
        yield catcher


@pytest.fixture
def mails(mail_server: MailCatcher) -> MailCatcher:
    """The mail server, with all earlier mails read."""
    with suppress(TimeoutError):
        while mail_server.next(timeout=0):
            pass
    return mail_server


@pytest.fixture(scope="session")
def settings(servers: Servers, worker_id: str, mail_server: MailCatcher) -> Iterator[Settings]:
    """Settings with a database, Redis databases and a mail server that no other process uses."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id != "master" else 0
    name = f"test_{worker_id}"
    asyncio.run(execute(servers.postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    smtp = {"smtp_host": mail_server.host, "smtp_port": mail_server.port}
    yield settings_for(servers, name, number, **smtp)
    asyncio.run(execute(servers.postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def empty(servers: Servers, worker_id: str) -> Iterator[Settings]:
    """Settings with a database that does not exist yet."""
    name = f"migrations_{worker_id}"
    yield settings_for(servers, name, 0)
    asyncio.run(execute(servers.postgres, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def execute(url: str, *statements: str) -> None:
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(scope="session")
async def engine_of_session(settings: Settings) -> AsyncIterator[Database]:
    async with open_database(settings) as database:
        yield database


@pytest.fixture(scope="session")
async def pools_of_session(settings: Settings) -> AsyncIterator[QueuePools]:
    async with open_pools(settings) as queues:
        yield queues


@pytest.fixture
async def connection(engine_of_session: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction that is rolled back after the test, whatever was committed inside it."""
    async with engine_of_session.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
async def queues(pools_of_session: QueuePools) -> QueuePools:
    """Empty queues."""
    for queue in pools_of_session:
        await pools_of_session[queue].flushdb()
    return pools_of_session


@pytest.fixture
async def throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """Nobody has attempted anything yet."""
    async with Redis.from_url(settings.redis_url) as redis:
        await redis.flushdb()
    async with open_throttle(settings) as throttle:
        yield throttle


@pytest.fixture
def resources(
    settings: Settings,
    engine_of_session: Database,
    connection: AsyncConnection,
    queues: QueuePools,
    throttle: Throttle,
) -> Resources:
    """What a process holds, on one connection; a commit releases a savepoint of it."""
    sessions = async_sessionmaker(
        connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
    )
    database = Database(engine_of_session.engine, sessions)
    completions = Completions(sessions)
    return Resources(settings, queues, database, Mailer(settings), throttle, {}, completions)


@pytest.fixture
async def committing(
    settings: Settings, queues: QueuePools, throttle: Throttle
) -> AsyncIterator[Resources]:
    """What a process holds, with commits that other connections see; emptied after the test."""
    assert not [queue for queue in queues if await queues[queue].dbsize()]
    async with open_resources(settings) as resources:
        yield replace(resources, throttle=throttle)
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    await execute(settings.database_url, f"TRUNCATE {tables}")


def with_settings(resources: Resources, **changes: object) -> Resources:
    """Change settings of what a test holds."""
    return replace(resources, settings=resources.settings.model_copy(update=changes))


def given(resources: Resources) -> OpenResources:
    """Let an application or a worker use resources that the test holds."""

    @asynccontextmanager
    async def open_given(_: Settings) -> AsyncIterator[Resources]:
        yield resources

    return open_given


@asynccontextmanager
async def serve(
    what: FastAPI | Resources, base_url: str = "http://test", *, address: str = "127.0.0.1"
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an application, or the service with resources that the test holds, to a client."""
    app = what if isinstance(what, FastAPI) else _service(what)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx2.ASGITransport(app=with_state, client=(address, 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url=base_url) as client:
            yield client


_services: list[tuple[Settings, FastAPI]] = []
_held: ContextVar[Resources] = ContextVar("what the service that starts is given")


def _service(resources: Resources) -> FastAPI:
    """Build the service, but once for the same settings: it takes a while.

    Providers of OpenID Connect are met at other ports in each test, and change nothing of it.
    """

    @asynccontextmanager
    async def open_held(_: Settings) -> AsyncIterator[Resources]:
        yield _held.get()

    _held.set(resources)
    wanted = with_settings(resources, oidc_providers={}).settings
    for settings, service in _services:
        if settings == wanted:
            return service
    service = create_application(wanted, open_resources=open_held)
    _services.append((wanted, service))
    return service


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(resources) as client:
        yield client


WorkOff = Callable[..., Awaitable[None]]


@pytest.fixture
def work_off(resources: Resources) -> WorkOff:
    """Run a worker in this process until its queue is empty, or for a number of jobs."""

    async def work_off(
        worker: WorkerSettings, *, jobs: int = -1, using: Resources = resources
    ) -> None:
        await run_worker(worker, using, jobs)

    return work_off


async def run_worker(original: WorkerSettings, resources: Resources, jobs: int) -> None:
    tested = worker_settings(
        original.queue,
        handlers=original.handlers,
        crons=original.crons,
        settings=resources.settings,
        open_resources=given(resources),
    )
    worker = create_worker(tested, burst=True, max_burst_jobs=jobs, handle_signals=False)
    try:
        await worker.async_run()
    finally:
        await worker.close()


async def make_due(queues: QueuePools, queue: Queue) -> None:
    """Let the time pass that a queue's jobs wait for."""
    for job_id in await queues[queue].zrange(queue.key, 0, -1):
        await queues[queue].zadd(queue.key, {job_id: 1})


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes: for what no event tells of."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


async def waits_for_a_lock(resources: Resources) -> None:
    """Wait until somebody on the server waits for somebody else's transaction."""
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    async def waits() -> bool:
        async with resources.unit_of_work() as uow:
            return bool(await uow.session.scalar(query))

    await until(waits)


async def said(lines: list[MutableMapping[str, Any]], event: str) -> bool:
    """Look for an event among captured log lines."""
    return any(line["event"] == event for line in lines)
