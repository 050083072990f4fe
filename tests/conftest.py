"""The fixtures of all tests: real servers, with a database and Redis databases for each process."""

import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    async_sessionmaker,
)

from app.core.config import Settings
from app.core.database import Database, open_database
from app.core.gc import tune_garbage_collection
from app.core.job_store.completions import Completions, completing
from app.core.queue import QueuePools
from app.core.redis_connections.multiplexed import MultiplexedConnection
from app.core.redis_connections.opening import open_connections
from app.core.resources import Resources, open_resources
from app.core.security.throttle import Throttle
from app.core.urls.redis import RedisAddress
from app.core.worker.execution.observers import Observer
from app.core.worker.settings import WorkerSettings
from app.models import Base
from dev.mail_catcher import MailCatcher
from dev.postgres import postgres
from dev.valkey import valkey
from tests.support.database import fetch_in_turns
from tests.support.emails import Mailbox
from tests.support.fork_server import CAN_FORK, fork_server_of_service, fork_server_of_tests
from tests.support.passwords import CHEAP_PASSWORDS
from tests.support.redis import RedisDatabases
from tests.support.servers import (
    PATIENT,
    REDIS_DATABASES,
    ROOT,
    Servers,
    build_template,
    copy_template,
    execute,
    settings_for,
)
from tests.support.service import serve
from tests.support.workers import RunWorker, run_burst

# For a few rows, DELETE takes a tenth of the time of TRUNCATE, which makes new files. As a replica,
# PostgreSQL runs no trigger that protects rows from being deleted.
EMPTY_ALL_TABLES = "; ".join(
    [
        "BEGIN",
        "SET LOCAL session_replication_role = replica",
        *(str(table.delete()) for table in Base.metadata.sorted_tables),
        "COMMIT",
    ]
)

STARTS = {"run_process", "postgres", "valkey"}
"""Modules that a test module imports if it starts processes or servers."""

servers_key = pytest.StashKey[Servers]()
stack_key = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that controls the others."""
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
    if CAN_FORK:
        stack.enter_context(fork_server_of_service(folder))
        # Coverage counts imported lines, too.
        if config.option.tx and not config.getoption("cov_source", None):
            python = stack.enter_context(fork_server_of_tests(modules_in(config.args)))
            config.option.tx = [f"{node}//python={python}" for node in config.option.tx]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends as after Ctrl-C
    servers = config.stash[servers_key] = Servers(
        postgres=stack.enter_context(postgres(folder / "postgres", durable=False)),
        redis=stack.enter_context(
            valkey(folder / "valkey", durable=True, databases=REDIS_DATABASES)
        ),
    )
    asyncio.run(build_template(servers))


def modules_in(arguments: Sequence[str]) -> list[str]:
    """Return the names of the test modules in the files and folders of a command line."""
    paths = [Path(argument.partition("::")[0]).resolve() for argument in arguments]
    found = [[path] if path.is_file() else path.rglob("test_*.py") for path in paths]
    files = [file.relative_to(ROOT).with_suffix("") for file in chain.from_iterable(found)]
    return [".".join(file.parts) for file in files]


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes for `-n auto`.

    Tests wait, so there are more processes than cores. PostgreSQL has connections for sixteen.
    """
    return min(2 * (os.cpu_count() or 1) + 1, 16)


def pytest_configure_node(node: object) -> None:
    """Pass the servers' URLs to a process of pytest-xdist."""
    node.workerinput["servers"] = vars(node.config.stash[servers_key])  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    if stack := config.stash.get(stack_key, None):
        stack.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each process begin with tests that start processes or servers, and wait for seconds.

    pytest-xdist gives each process an equal share of the list.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow, fast = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (slow if starts_something(item) else fast).append(item)
    shares = zip(in_shares(slow, processes), in_shares(fast, processes), strict=True)
    items[:] = [item for slow_ones, fast_ones in shares for item in (*slow_ones, *fast_ones)]


def in_shares(items: Sequence[pytest.Item], count: int) -> list[Sequence[pytest.Item]]:
    bounds = [len(items) * number // count for number in range(count + 1)]
    return [items[first:last] for first, last in pairwise(bounds)]


def starts_something(item: pytest.Item) -> bool:
    module = item.getparent(pytest.Module)
    return module is not None and not STARTS.isdisjoint(vars(module.obj))


def pytest_collection_finish() -> None:
    """Exempt the imported modules from garbage collection."""
    tune_garbage_collection()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Restore the log after each test, whose stream may be closed."""
    root = logging.getLogger()
    handlers = [*root.handlers]
    try:
        return (yield)
    finally:
        root.handlers = handlers


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    return pytestconfig.stash[servers_key]


@pytest.fixture(scope="session")
def session_mail_catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailCatcher]:
    with MailCatcher(tmp_path_factory.mktemp("mail")) as catcher:
        yield catcher


@pytest.fixture
def mail_catcher(session_mail_catcher: MailCatcher) -> MailCatcher:
    """The mail server, with all earlier emails read."""
    with suppress(TimeoutError):
        while session_mail_catcher.next(timeout=0):
            pass
    return session_mail_catcher


@pytest.fixture
def mailbox(run_worker: RunWorker, mail_catcher: MailCatcher) -> Mailbox:
    return Mailbox(run_worker, mail_catcher)


@pytest.fixture(scope="session")
def settings(
    servers: Servers, worker_id: str, session_mail_catcher: MailCatcher
) -> Iterator[Settings]:
    """Settings with a database, Redis databases, and a mail server that no other process uses."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id != "master" else 0
    name = f"test_{worker_id}"
    asyncio.run(copy_template(servers, name))
    smtp = {"smtp_host": session_mail_catcher.host, "smtp_port": session_mail_catcher.port}
    yield settings_for(servers, name, number, **PATIENT, **smtp)
    asyncio.run(execute(servers.postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def settings_without_database(servers: Servers, worker_id: str) -> Iterator[Settings]:
    """Settings with a database that does not exist yet."""
    name = f"migrations_{worker_id}"
    yield settings_for(servers, name, 0, **PATIENT)
    asyncio.run(execute(servers.postgres, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
async def session_resources(settings: Settings) -> AsyncIterator[Resources]:
    """The resources of a process, with cheap password hashes."""
    async with open_resources(settings) as resources:
        yield replace(resources, passwords=CHEAP_PASSWORDS)


@pytest.fixture(scope="session")
def superuser_settings(servers: Servers, settings: Settings) -> Settings:
    """Settings with a superuser role, which may ignore triggers."""
    database = make_url(settings.database_url).database
    url = make_url(servers.postgres).set(drivername="postgresql+asyncpg", database=database)
    return settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})


@pytest.fixture(scope="session")
async def superuser(superuser_settings: Settings) -> AsyncIterator[AsyncEngine]:
    async with open_database(superuser_settings) as database:
        yield database.engine


@pytest.fixture(scope="session")
async def session_throttle(settings: Settings) -> AsyncIterator[MultiplexedConnection]:
    """A connection to the database where attempts are counted."""
    pool = open_connections(RedisAddress.parse(settings.redis_url), settings)
    connection = MultiplexedConnection(pool)
    yield connection
    await connection.aclose()
    await pool.aclose()


@pytest.fixture(scope="session")
def redis_databases(settings: Settings) -> Iterator[RedisDatabases]:
    """The Redis databases of this process. To empty them, most tests need no event loop."""
    with RedisDatabases(settings) as databases:
        yield databases


@pytest.fixture
async def connection(session_resources: Resources) -> AsyncIterator[AsyncConnection]:
    """A transaction that is rolled back after the test, whatever was committed inside it."""
    async with session_resources.database.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
def queues(session_resources: Resources, redis_databases: RedisDatabases) -> QueuePools:
    """Empty queues."""
    redis_databases.empty_queues()
    return session_resources.queues


@pytest.fixture
def throttle(
    settings: Settings, session_throttle: MultiplexedConnection, redis_databases: RedisDatabases
) -> Throttle:
    """A throttle that has not counted any attempt yet."""
    redis_databases.forget_attempts()
    return Throttle(settings, session_throttle)


@pytest.fixture
def resources(
    session_resources: Resources,
    connection: AsyncConnection,
    queues: QueuePools,  # noqa: ARG001  the fixture empties the queues
    throttle: Throttle,
) -> Resources:
    """The resources of a process on one connection. A commit only releases a savepoint."""
    sessions = async_sessionmaker(
        connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
    )

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        yield connection

    fetch = partial(fetch_in_turns, connection)
    database = Database(session_resources.database.engine, fetch, connect, sessions)
    return replace(
        session_resources,
        database=database,
        throttle=throttle,
        completions=Completions(fetch),
    )


@pytest.fixture
async def committing_resources(
    session_resources: Resources, superuser: AsyncEngine, queues: QueuePools, throttle: Throttle
) -> AsyncIterator[Resources]:
    """The resources of a process, with commits that other connections see. Empty after the test."""
    assert not [queue for queue in queues if await queues[queue].dbsize()]
    async with completing(session_resources.database.fetch) as completions:
        yield replace(session_resources, throttle=throttle, completions=completions)
    async with superuser.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.execute(EMPTY_ALL_TABLES)


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service."""
    async with serve(resources) as client:
        yield client


@pytest.fixture
def run_worker(resources: Resources) -> RunWorker:
    """Run a worker in this process until its queue is empty, or for a number of jobs."""

    async def run_worker(
        worker: WorkerSettings,
        *,
        jobs: int | None = None,
        using: Resources = resources,
        observers: Sequence[Observer] = (),
    ) -> None:
        await run_burst(worker, using, jobs, observers)

    return run_worker
