"""Measure the cost of a thousand streams of job events in one process of the service."""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import HttpUrl, SecretStr
from sqlalchemy import text

from app.core.config import Settings
from app.core.job_store.live import save_progress
from app.core.queue import BASE, QUEUES, QueuePools, to_message
from app.core.resources import Resources, open_resources
from app.models import User
from app.schemas.jobs import BuildSignupReport
from app.services.auth.completed_login import complete_login
from app.services.scope import RequestInfo, open_scope
from benchmarks.http.contenders import OURS, ROOT, SECRET, Contender, service
from benchmarks.http.server import Server, running
from dev.postgres import postgres
from dev.valkey import valkey

MAX_MEMORY = 100.0
"""MiB for a thousand streams."""

AT_ONCE = 20
"""Streams that are opened at once, because the service would reject a thousand requests at once."""

REST = 20.0
"""Seconds without any event."""

READ = "GET /api/v1/jobs/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\r\n"
STREAM = READ.replace(" HTTP", "/events HTTP")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        database = stack.enter_context(postgres(folder / "postgres"))
        redis = stack.enter_context(valkey(folder / "valkey"))
        limit = str(options.streams + 1)  # one warms up
        limits = {"MAX_STREAMS": limit, "MAX_STREAMS_PER_USER": limit}
        contender = service(OURS, ROOT, database, redis)
        contender = replace(contender, variables={**contender.variables, **limits})
        migrate(contender)
        server = stack.enter_context(running(contender, "/health/live"))
        settings = Settings(
            _env_file=None,
            database_url=database.replace("://", "+asyncpg://", 1),
            redis_url=redis,
            secret_key=SecretStr(SECRET),
            public_url=HttpUrl(contender.variables["PUBLIC_URL"]),
        )
        return asyncio.run(measure(server, settings, options.streams))


async def measure(server: Server, settings: Settings, count: int) -> int:
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(open_resources(settings))
        token = await _log_in(resources)
        job_ids = await _send_jobs(resources.queues, count)
        await _warm_up(server, job_ids[0], token)
        before = server.memory
        streams: list[Stream] = []
        for first in range(0, count, AT_ONCE):
            batch = job_ids[first : first + AT_ONCE]
            streams += await asyncio.gather(*(Stream.open(server, each, token) for each in batch))
        opened = server.memory
        subscriptions = [
            len(await resources.queues[queue].client_list(_type="pubsub")) for queue in QUEUES
        ]
        connections = await _database_connections(resources)
        processor_time = server.processor_time
        await asyncio.sleep(REST)
        processor_time = server.processor_time - processor_time
        late = await _publish(resources.queues, job_ids, streams)
        used = max(opened, server.memory) - before
        for stream in streams:
            stream.writer.close()
    print(f"{count} streams: {used:.0f} MiB ({1024 * used / count:.0f} KiB each)")
    print(f"subscriptions of the process, by queue: {subscriptions}, all on one server")
    print(f"connections of the database in a transaction: {connections}")
    print(f"processor time at rest: {100 * processor_time / REST:.1f} % of a core")
    print(f"a change of all {count} jobs has reached the last stream after {late:.2f} s")
    return 0 if used <= MAX_MEMORY * max(1.0, count / 1_000) else 1


class Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, server: Server, job_id: UUID, token: str) -> "Stream":
        """Open a stream, and wait for its first event."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(STREAM.format(job_id, token).encode())
        stream = cls(reader, writer)
        await stream.wait_for(b'"state":"scheduled"')
        return stream

    async def wait_for(self, text: bytes) -> None:
        read = b""
        while text not in read:
            chunk = await self.reader.read(4096)
            if not chunk:
                raise RuntimeError(f"the stream has ended: {read[-300:]!r}")
            read += chunk


async def _log_in(resources: Resources) -> str:
    async with open_scope(resources, RequestInfo("127.0.0.1")) as scope:
        user = User(
            email="root@example.com", is_superuser=True, email_verified_at=datetime.now(UTC)
        )
        scope.uow.session.add(user)
        await scope.uow.session.flush()
        return (await complete_login(scope, user)).access_token


async def _send_jobs(queues: QueuePools, count: int) -> list[UUID]:
    """Send jobs that become due after the measurement."""
    later = datetime.fromtimestamp(time.time() + 3_600, UTC)
    messages = [to_message(BuildSignupReport(), at=later) for _ in range(count)]
    await queues.post(messages)
    return [message.id for message in messages]


async def _warm_up(server: Server, job_id: UUID, token: str) -> None:
    """Warm up the process with some requests and a stream."""
    for _ in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(READ.format(job_id, token).encode())
        assert b"200" in await reader.readline()
        writer.close()
    (await Stream.open(server, job_id, token)).writer.close()


async def _publish(queues: QueuePools, job_ids: list[UUID], streams: list[Stream]) -> float:
    """Report progress for all jobs. Return the seconds until all streams have shown it."""
    began = time.perf_counter()
    for job_id in job_ids:
        await save_progress(queues[BASE], job_id, 0.5, "half")
    await asyncio.gather(*(stream.wait_for(b'"progress":0.5') for stream in streams))
    return time.perf_counter() - began


async def _database_connections(resources: Resources) -> int:
    busy = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE state LIKE '%transaction%' AND pid <> pg_backend_pid()"
    )
    async with resources.unit_of_work() as uow:
        return int(await uow.session.scalar(busy) or 0)


def migrate(contender: Contender) -> None:
    subprocess.run(  # noqa: S603  ours
        [contender.python, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=contender.environment,
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    sys.exit(main())
