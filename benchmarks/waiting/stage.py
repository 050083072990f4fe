"""The servers and the worker of a checkout, and the resources that they use."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg
from redis.asyncio import Redis

from benchmarks import checkouts
from dev.postgres import postgres
from dev.valkey import valkey

AGENT = Path(__file__).with_name("agent.py")
STARTED = "benchmark:started"
TICKS = os.sysconf("SC_CLK_TCK")
SLOW_MS = 50


@dataclass
class Usage:
    """The resources that the servers and the worker have used since their start."""

    updates: int
    wal_bytes: int
    cpu_seconds: float


@dataclass
class Stage:
    """A measured checkout with its own servers."""

    checkout: Path
    environment: dict[str, str]
    database: asyncpg.Connection
    redis: Redis
    log: Path
    worker: asyncio.subprocess.Process | None = None
    has_horizon: bool = field(default=False, init=False)

    async def agent(self, *command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(checkouts.python(self.checkout), str(AGENT), *command),
            cwd=self.checkout,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
        )

    async def send(self, *command: str) -> Any:  # noqa: ANN401  the output depends on the sender
        """Run a sender to its end, and return its output."""
        sender = await self.agent(*command)
        output, _ = await sender.communicate()
        if sender.returncode:
            raise RuntimeError(f"the sender {' '.join(command)} failed in {self.checkout}")
        printed = [line for line in output.splitlines() if line.startswith(b"{")]
        return json.loads(printed[-1]) if printed else None

    async def start_worker(self) -> None:
        self.worker = await self.agent("work")

    async def stop_worker(self) -> None:
        if self.worker:
            self.worker.send_signal(signal.SIGTERM)
            await self.worker.wait()
            self.worker = None

    async def insert(self, count: int, due_in: str | None) -> None:
        """Insert rows as a sender leaves them that dies after the commit."""
        due = f"now() + interval '{due_in}'" if due_in else "NULL"
        columns, values = "id, queue, name, payload, due_at", f"'base', 'Note', '{{}}', {due}"
        if due_in and self.has_horizon:
            columns += ", check_at"
            values += f", greatest(clock_timestamp(), {due} - interval '10 minutes')"
        await self.database.execute(
            f"INSERT INTO outbox ({columns}) "  # noqa: S608  our own words
            f"SELECT gen_random_uuid(), {values} FROM generate_series(1, {count})"
        )

    async def pause(self) -> None:
        await self.redis.hset("arq:queue:base:control", "paused", "1")

    async def started(self) -> int:
        """Return the number of jobs that have started since the last call of `delays`."""
        return await self.redis.llen(STARTED)

    async def delays(self, count: int) -> list[float]:
        """Wait for jobs to start, and return the delay of each in ms."""
        while await self.started() < count:
            await asyncio.sleep(0.1)
        reports = await cast("Awaitable[list[bytes]]", self.redis.lrange(STARTED, 0, -1))
        pairs = [each.split() for each in reports]
        await self.redis.delete(STARTED)
        return [1000 * (float(started) - float(due)) for due, started in pairs]

    async def usage(self) -> Usage:
        updates = await self.database.fetchval(
            "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'outbox'"
        )
        wal = await self.database.fetchval("SELECT pg_current_wal_lsn() - '0/0'")
        backend = await self.database.fetchval("SELECT pg_backend_pid()")
        redis = (await self.redis.info("server"))["process_id"]
        worker = self.worker.pid if self.worker else 0
        return Usage(updates, int(wal), _family(_parent(backend)) + _own(redis) + _own(worker))

    async def redis_bytes(self) -> int:
        return int((await self.redis.info("memory"))["used_memory"])

    async def outbox_bytes(self) -> int:
        """Return the size of the table and its indexes."""
        return int(await self.database.fetchval("SELECT pg_total_relation_size('outbox')"))

    async def empty(self) -> None:
        await self.database.execute("TRUNCATE outbox")
        await self.redis.flushdb()

    def slow_statements(self) -> int:
        return self.log.read_text(errors="replace").count(" duration: ")


@asynccontextmanager
async def stage(checkout: Path) -> AsyncIterator[Stage]:
    """Start servers, apply the checkout's migrations, and start a worker."""
    with (
        tempfile.TemporaryDirectory(prefix="waiting-") as folder,
        postgres(Path(folder) / "postgres") as server,
        valkey(Path(folder) / "valkey") as redis_url,
    ):
        database_url = await checkouts.create_database(server, "benchmark")
        environment = checkouts.environment(checkout, database_url, redis_url)
        admin = await asyncpg.connect(server)
        await admin.execute(f"ALTER SYSTEM SET log_min_duration_statement = {SLOW_MS}")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        await checkouts.migrate(checkout, environment)
        database = await asyncpg.connect(environment["DATABASE_URL"])
        await database.execute("SET log_min_duration_statement = -1")
        log = next(Path(folder).glob("postgres/*/*log*"))  # noqa: ASYNC240  once, before the start
        async with Redis.from_url(f"{redis_url}/1") as redis:
            on = Stage(checkout, environment, database, redis, log)
            on.has_horizon = (checkout / "app/core/job_store/reconciliation.py").exists()
            await on.start_worker()
            try:
                yield on
            finally:
                await on.stop_worker()
                await database.close()


def _family(pid: int) -> float:
    """Return the CPU seconds of a process and its children, including those that have ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _own(pid, with_ended=True) + sum(_own(int(child)) for child in children)


def _own(pid: int, *, with_ended: bool = False) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11 : 15 if with_ended else 13])) / TICKS


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
