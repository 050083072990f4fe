"""What a test stands on: a database and a Redis of its own, and processes to mistreat."""

import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from app.core.config import Settings
from app.core.queue import Job
from app.core.resources import Resources, open_resources
from app.dev.mail_catcher import MailCatcher
from tests.chaos.engines import Engine
from tests.chaos.ledger import TABLES, Ledger
from tests.chaos.programs import CONCURRENCY, Program, start
from tests.chaos.redis_server import RedisServer

END_OF_LOG = 3_000


@dataclass
class Ground:
    """`variables` are given to every process beside its settings."""

    settings: Settings
    resources: Resources
    redis: RedisServer
    rng: random.Random
    folder: Path
    mails: MailCatcher
    engine: Engine
    variables: Mapping[str, str]
    programs: list[Program] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.resources.database.engine)

    async def start(
        self, *arguments: str, settings: Settings | None = None, **variables: str
    ) -> Program:
        """Start a process; it is ended with the test."""
        log = self.folder / f"{len(self.programs)}.log"
        program = await start(
            settings or self.settings, log, *arguments, variables={**self.variables, **variables}
        )
        self.programs.append(program)
        return program

    async def start_worker(
        self, *, concurrency: int = 20, settings: Settings | None = None, wait: bool = True
    ) -> Program:
        """Start a worker of the jobs of these tests, and `wait` until it is at work."""
        worker = await self.start(
            *self.engine.worker, settings=settings, **{CONCURRENCY: str(concurrency)}
        )
        if wait:
            await worker.says(self.engine.at_work)
        return worker

    async def send(self, jobs: Sequence[Job]) -> float:
        """Have jobs done, in one transaction; return when that had committed, in Unix seconds."""
        await self.engine.send(self.resources, jobs)
        return time()

    async def end(self) -> None:
        """End all processes, and print the ends of what they wrote: pytest shows it on failure."""
        for program in self.programs:
            if program.is_running:
                await program.kill()
            sys.stdout.write(f"\n--- {program.pid}\n{program.output()[-END_OF_LOG:]}")


@asynccontextmanager
async def laid(  # noqa: PLR0913  what a test is made of
    settings: Settings,
    folder: Path,
    rng: random.Random,
    mails: MailCatcher,
    *,
    engine: Engine,
    variables: Mapping[str, str],
    redis_variables: Mapping[str, str] | None,
) -> AsyncIterator[Ground]:
    """Lay the ground on a database that exists.

    `variables` are given to all processes, Redis included, unless it has `redis_variables`.
    """
    of_redis = variables if redis_variables is None else redis_variables
    with RedisServer(folder / "valkey", of_redis) as redis:
        own = settings.model_copy(update={"redis_url": redis.url, "queue_redis_urls": {}})
        async with open_resources(own) as resources:
            async with resources.database.engine.begin() as connection:
                for table in TABLES:
                    await connection.exec_driver_sql(table)
            ground = Ground(own, resources, redis, rng, folder, mails, engine, variables)
            try:
                yield ground
            finally:
                await ground.end()
