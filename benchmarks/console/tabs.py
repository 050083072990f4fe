"""The cost of open console tabs for other requests.

The tabs show the overview, which changes all the time. So each version is rendered and sent to all
tabs.

At full load, the processor time of the tabs is lost to other requests. This share is measured while
the process does nothing else, because it is smaller than the noise of a throughput measurement. The
throughput is measured, too, in turns with and without the tabs, as requests per second of processor
time.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from pydantic import HttpUrl, SecretStr

from app.core.config import Settings
from app.core.resources import Resources, open_resources
from app.models import User
from app.routes.console.live import INTERVAL
from app.schemas.jobs import BuildSignupReport
from app.services.auth.completed_login import complete_login
from app.services.scope import RequestInfo, open_scope
from benchmarks.http.contenders import OURS, ROOT, SECRET, Contender, Request, service
from benchmarks.http.load import put_load
from benchmarks.http.server import Server, running, take_the_other_cores
from benchmarks.streams.__main__ import migrate
from dev.postgres import postgres
from dev.valkey import valkey

TABS, CONNECTIONS = 20, 32
ROUNDS, SECONDS = 8, 5.0
REST = 10.0
"""Seconds in which the process serves only the tabs."""

SHARE_LIMIT = 0.02

TAB = "GET /console/live/overview HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: session={}\r\n\r\n"


def run() -> bool:
    """Print the cost of the tabs, and return whether the target is met."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        database = stack.enter_context(postgres(folder / "postgres"))
        redis = stack.enter_context(valkey(folder / "valkey"))
        contender = _contender(database, redis)
        migrate(contender)
        take_the_other_cores()
        server = stack.enter_context(running(contender, "/health/live"))
        settings = Settings(
            _env_file=None,
            database_url=database.replace("://", "+asyncpg://", 1),
            redis_url=redis,
            secret_key=SecretStr(SECRET),
            public_url=HttpUrl(contender.variables["PUBLIC_URL"]),
        )
        return asyncio.run(_measure(server, settings))


def _contender(database: str, redis: str) -> Contender:
    contender = service(OURS, ROOT, database, redis)
    more = {"MAX_STREAMS_PER_USER": str(TABS), "SUPERUSERS_NEED_SECOND_FACTOR": "false"}
    return replace(contender, variables={**contender.variables, **more})


async def _measure(server: Server, settings: Settings) -> bool:
    async with open_resources(settings) as resources:
        access_token, session = await _log_in(resources)
        headers = {"authorization": f"Bearer {access_token}"}
        request = Request("GET", ["/api/v1/users/me"], headers)
        await _throughput(server, request)  # a warm-up that loads the code and prepares statements
        shares, costs, sent = [], [], 0
        async with _changing(resources):
            for _ in range(ROUNDS):
                alone = await _processor_share(server)
                async with _open_tabs(server, session) as received:
                    costs.append(await _processor_share(server) - alone)
                sent += sum(received)
            for _ in range(ROUNDS):
                before = await _throughput(server, request)
                async with _open_tabs(server, session):
                    with_tabs = await _throughput(server, request)
                after = await _throughput(server, request)
                shares.append(1 - 2 * with_tabs / (before + after))
                print(f"{before:8,.0f} {with_tabs:8,.0f} {after:8,.0f} requests", flush=True)
    cost, looks = median(costs), sent / ROUNDS / TABS / REST
    print(f"each of {TABS} tabs got {looks:.1f} versions a second")
    print(f"they took {cost:.1%} of a processor ({min(costs):.1%} to {max(costs):.1%})")
    print(f"the throughput was lower by {median(shares):.1%}")
    return cost <= SHARE_LIMIT and looks >= 0.5 / INTERVAL


async def _processor_share(server: Server) -> float:
    began = server.processor_time
    await asyncio.sleep(REST)
    return (server.processor_time - began) / REST


async def _throughput(server: Server, request: Request) -> float:
    began = server.processor_time
    load = await put_load(server.port, request, CONNECTIONS, SECONDS)
    return load.responses / (server.processor_time - began)


async def _log_in(resources: Resources) -> tuple[str, str]:
    async with open_scope(resources, RequestInfo("127.0.0.1")) as scope:
        user = User(
            email="root@example.com", is_superuser=True, email_verified_at=datetime.now(UTC)
        )
        scope.uow.session.add(user)
        await scope.uow.session.flush()
        tokens = await complete_login(scope, user)
        return tokens.access_token, tokens.refresh_token


@asynccontextmanager
async def _changing(resources: Resources) -> AsyncIterator[None]:
    """Send jobs all the time, so that each version of the overview differs."""

    async def send() -> None:
        while True:
            await resources.queues.send(BuildSignupReport())
            await asyncio.sleep(INTERVAL / 4)

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


@asynccontextmanager
async def _open_tabs(server: Server, session: str) -> AsyncIterator[list[int]]:
    """Open the tabs, and yield the number of versions that each has received since."""
    received = [0] * TABS
    async with AsyncExitStack() as stack:
        for number in range(TABS):
            reader = await stack.enter_async_context(_tab(server, session))
            reading = asyncio.create_task(_count(reader, received, number))
            stack.callback(reading.cancel)
        yield received


@asynccontextmanager
async def _tab(server: Server, session: str) -> AsyncIterator[asyncio.StreamReader]:
    """Open the stream of a tab, and wait for its first version."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(TAB.format(session).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head:
        raise RuntimeError(f"the console is closed: {head!r}")
    await reader.readuntil(b"\n\n")
    try:
        yield reader
    finally:
        writer.close()


async def _count(reader: asyncio.StreamReader, received: list[int], number: int) -> None:
    with suppress(asyncio.IncompleteReadError):
        while True:
            await reader.readuntil(b"\n\n")
            received[number] += 1
