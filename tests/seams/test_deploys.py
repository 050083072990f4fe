"""A rolling deploy between two versions of the service, under load."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import open_database
from app.core.outgoing import sending_requests
from dev.mail_catcher import MailCatcher
from dev.processes import free_port
from dev.valkey import valkey
from tests.chaos.processes import Process
from tests.seams.deployment import Deployment, deployed
from tests.seams.haproxy import SERVERS_PATH, haproxy
from tests.seams.load import wait_until_welcomed
from tests.seams.versions import EFFECTS, following_version, former_version
from tests.support.reports import Report
from tests.support.servers import ROOT, execute

pytestmark = pytest.mark.seams

EVERY = 1.0
"""Seconds between two rounds. A round has a sign-up, a read, and a job of each class."""

ORPHANS = {"Removed", "Required"}
"""Classes whose jobs only workers of the former version can run."""


@dataclass
class Clients:
    """The requests of clients on keep-alive connections, and their answers."""

    client: httpx2.AsyncClient
    jobs: dict[str, str] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)

    async def ask_once(self, number: int) -> None:
        email = f"person-{number}@example.com"
        person = {"email": email, "password": "correct horse", "full_name": "Ada"}
        signed_up = await self._request("POST", "/api/v1/users/signup", json=person)
        if signed_up is not None:
            self.people.add(email)
        await self._request("GET", "/health/live")
        enqueued = await self._request("POST", f"/api/v1/everything/{number}")
        if enqueued is not None:
            self.jobs |= enqueued.json()

    async def _request(self, method: str, path: str, **options: object) -> httpx2.Response | None:
        try:
            with sending_requests():
                answer = await self.client.request(method, path, **options)  # type: ignore[arg-type]
        except httpx2.TransportError as error:
            self.answers[f"{path.split('/')[-2]}: {type(error).__name__}"] += 1
            return None
        self.answers["ok" if answer.is_success else f"{path}: {answer.status_code}"] += 1
        return answer if answer.is_success else None


@asynccontextmanager
async def asking(port: int) -> AsyncIterator[Clients]:
    """Send requests of clients without a pause until the block ends."""
    stop = asyncio.Event()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        clients = Clients(client)

        async def keep_asking() -> None:
            async with asyncio.TaskGroup() as group:
                for number in count():
                    if stop.is_set():
                        return
                    group.create_task(clients.ask_once(number))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), EVERY)

        task = asyncio.create_task(keep_asking())
        try:
            yield clients
        finally:
            stop.set()
            await task


@dataclass
class Release:
    """The processes of a version: two of the API, and a worker per queue."""

    deployment: Deployment
    folder: Path
    workers: tuple[str, ...]

    async def start_api(self, port: int) -> Process:
        return await self.deployment.start_api(port=port, cwd=self.folder)

    async def start_workers(self) -> list[Process]:
        return [await self.deployment.start_worker(name, cwd=self.folder) for name in self.workers]


async def stop(process: Process) -> None:
    process.send(signal.SIGTERM)
    await process.wait_for_exit(within=300)


async def replace_api(following: Release, processes: dict[int, Process], entrance: int) -> None:
    """Restart the processes of the API one after another, each once all are in use."""
    for port, process in processes.items():
        await until_in_use(entrance, len(processes))
        await stop(process)
        processes[port] = await following.start_api(port)


async def replace_workers(following: Release, former: list[Process]) -> None:
    """Start the new workers next to the old ones, then stop the old ones."""
    await following.start_workers()
    for worker in former:
        await stop(worker)


async def migrate(settings: Settings, folder: Path) -> None:
    async with deployed(settings, folder / "migration") as deployment:
        process = await deployment.run("-m", "alembic", "upgrade", "head", cwd=folder)
        assert await process.wait_for_exit(within=300) == 0, process.output()


@pytest.fixture
def production_like(own_settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a Redis that has a free database for a new queue."""
    with valkey(tmp_path / "redis", durable=False) as url:
        yield own_settings.model_copy(
            update={
                "redis_url": url,
                "queue_redis_urls": {},
                "shutdown_delay": 1.0,
                "worker_grace_period": 20,
            }
        )


@pytest.mark.parametrize("order", ["API first", "workers first"])
async def test_a_rolling_deploy_fails_no_request_and_loses_no_job(
    production_like: Settings, inbox: MailCatcher, tmp_path: Path, report: Report, order: str
) -> None:
    head = ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_current_head()
    assert head
    assert production_like.database_owner_url
    await execute(production_like.database_owner_url, EFFECTS)
    former_folder = former_version(tmp_path / "former")
    following_folder = following_version(tmp_path / "following", head)
    ports = [free_port(), free_port()]
    async with deployed(production_like, tmp_path) as deployment:
        former = Release(deployment, former_folder, ("base", "email"))
        following = Release(deployment, following_folder, ("base", "email", "media"))
        processes = {port: await former.start_api(port) for port in ports}
        workers = await former.start_workers()
        with haproxy(tmp_path / "haproxy", ports) as entrance:
            await until_in_use(entrance, len(ports))
            async with asking(entrance) as clients:
                await asyncio.sleep(3)
                await migrate(production_like, following_folder)
                if order == "API first":
                    await replace_api(following, processes, entrance)
                    await replace_workers(following, workers)
                else:
                    await replace_workers(following, workers)
                    await replace_api(following, processes, entrance)
                await asyncio.sleep(3)
        outcome = await outcome_of(production_like, clients.jobs)
        welcomed = await wait_until_welcomed(inbox, clients.people, within=60)

    report(
        f"{order}: answers {dict(clients.answers)}; {len(clients.jobs)} jobs: {outcome}; "
        f"{len(clients.people - welcomed.keys())} emails lost"
    )
    assert set(clients.answers) == {"ok"}
    assert outcome.lost == {}
    assert outcome.dead == {}
    assert outcome.repeated == {}
    assert outcome.burned == 0
    assert set(outcome.waiting) <= ORPHANS
    assert clients.people <= welcomed.keys()


async def until_in_use(entrance: int, servers: int) -> None:
    """Wait until HAProxy uses a number of servers."""
    url = f"http://127.0.0.1:{entrance}{SERVERS_PATH}"
    async with asyncio.timeout(60), httpx2.AsyncClient() as client:
        while (await client.get(url)).text != str(servers):
            await asyncio.sleep(0.1)


@dataclass
class Outcome:
    """The outcomes of jobs, counted by class."""

    done: Counter[str]
    waiting: Counter[str]
    dead: Counter[str]
    lost: Counter[str]
    repeated: Counter[str]
    burned: int


async def outcome_of(settings: Settings, jobs: dict[str, str], within: float = 60) -> Outcome:
    """Wait until all jobs that the present versions can run are done, or until the time is over."""
    deadline = time.monotonic() + within
    while True:
        outcome = await _look(settings, jobs)
        if set(outcome.waiting) <= ORPHANS or time.monotonic() > deadline:
            return outcome
        await asyncio.sleep(1)


async def _look(settings: Settings, jobs: dict[str, str]) -> Outcome:
    async with open_database(settings) as database, database.engine.connect() as connection:
        # In this order, because a job that ends in between has its row, its effect, or both.
        rows = (await connection.execute(text("SELECT id, failed_at FROM outbox"))).all()
        effects = (await connection.execute(text("SELECT job_id, attempt FROM effects"))).all()
    times = Counter(str(effect.job_id) for effect in effects)
    dead = {str(row.id) for row in rows if row.failed_at}
    alive = {str(row.id) for row in rows} - dead - times.keys()

    def by_class(job_ids: set[str]) -> Counter[str]:
        return Counter(jobs[job_id] for job_id in job_ids)

    asked = set(jobs)
    return Outcome(
        done=by_class(asked & times.keys()),
        waiting=by_class(asked & alive),
        dead=by_class(asked & dead),
        lost=by_class(asked - times.keys() - alive - dead),
        repeated=by_class({job_id for job_id in asked if times[job_id] > 1}),
        burned=sum(effect.attempt > 1 for effect in effects),
    )
