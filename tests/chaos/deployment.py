"""The deployment of a chaos test: its own database and Redis, and processes to kill and freeze."""

import random
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from app.core.config import Settings
from app.core.queue import Job
from app.core.resources import Resources, open_resources
from dev.mail_catcher import MailCatcher
from tests.chaos.engines import Engine
from tests.chaos.ledger import TABLES, Ledger
from tests.chaos.processes import CONCURRENCY, Process, start
from tests.chaos.redis_server import RedisServer
from tests.support.servers import execute

END_OF_LOG = 3_000


@dataclass
class Deployment:
    """All processes get `variables` in addition to their settings."""

    settings: Settings
    resources: Resources
    redis: RedisServer
    rng: random.Random
    folder: Path
    mail_catcher: MailCatcher
    engine: Engine
    variables: Mapping[str, str]
    processes: list[Process] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.resources.database.engine)

    async def start(
        self, *arguments: str, settings: Settings | None = None, **variables: str
    ) -> Process:
        """Start a process, which ends with the test."""
        log = self.folder / f"{len(self.processes)}.log"
        process = await start(
            settings or self.settings, log, *arguments, variables={**self.variables, **variables}
        )
        self.processes.append(process)
        return process

    async def start_worker(
        self, *, concurrency: int = 20, settings: Settings | None = None, wait: bool = True
    ) -> Process:
        """Start a worker for the jobs of these tests, and `wait` until it takes jobs."""
        worker = await self.start(
            *self.engine.worker, settings=settings, **{CONCURRENCY: str(concurrency)}
        )
        if wait:
            await worker.wait_for_output(self.engine.at_work)
        return worker

    async def send(self, jobs: Sequence[Job]) -> float:
        """Enqueue jobs in one transaction, and return the time of the commit in Unix seconds."""
        await self.engine.send(self.resources, jobs)
        return time()

    async def end(self) -> None:
        """End all processes, and print the ends of their logs, which pytest shows on failure."""
        for process in self.processes:
            if process.is_running:
                await process.kill()
            sys.stdout.write(f"\n--- {process.pid}\n{process.output()[-END_OF_LOG:]}")


Deploy = Callable[..., AbstractAsyncContextManager[Deployment]]


@asynccontextmanager
async def open_deployment(  # noqa: PLR0913  what a test is made of
    settings: Settings,
    folder: Path,
    rng: random.Random,
    mail_catcher: MailCatcher,
    *,
    engine: Engine,
    variables: Mapping[str, str],
    redis_variables: Mapping[str, str] | None,
) -> AsyncIterator[Deployment]:
    """Prepare a deployment on a database that exists.

    All processes get `variables`. Redis gets `redis_variables` instead if they are given.
    """
    of_redis = variables if redis_variables is None else redis_variables
    with RedisServer(folder / "valkey", of_redis) as redis:
        own = settings.model_copy(update={"redis_url": redis.url, "queue_redis_urls": {}})
        async with open_resources(own) as resources:
            await execute(own.for_owner.database_url, *TABLES)
            deployment = Deployment(
                own, resources, redis, rng, folder, mail_catcher, engine, variables
            )
            try:
                yield deployment
            finally:
                await deployment.end()
