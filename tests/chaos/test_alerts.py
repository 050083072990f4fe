"""Each alert fires for its problem and clears after the problem is solved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.broker.keys import QueueKeys
from app.core.queue import BASE
from app.schemas.jobs import SendEmailVerification
from dev.processes import free_port
from tests.chaos.deployment import Deploy, Deployment
from tests.chaos.jobs import Block, Fail, Work
from tests.chaos.processes import Process
from tests.chaos.prometheus import watching
from tests.support.reports import Report
from tests.support.servers import execute

pytestmark = pytest.mark.chaos

SCARCE = {
    "database_pool_size": 1,
    "database_max_overflow": 0,
    "database_pool_timeout": 2,
    "max_requests_in_flight": 2,
}
"""The settings of an API whose limits a few requests reach."""

IMPATIENT_CLIENTS = 6
LONG_AGO = timedelta(hours=1)

OF_THE_API = {"HighErrorRate", "SlowResponses", "RequestsRejected", "DatabasePoolExhausted"}
OF_A_QUEUE = {"QueueDelayed", "NoLiveWorker", "OutboxStuck"}
OF_A_WORKER = {"EventLoopBlocked", "LeasesLost", "DeadLettersGrow"}
ALL_AT_ONCE = OF_THE_API | OF_A_QUEUE | OF_A_WORKER | {"MetricsMissing"}


async def test_each_alert_fires_and_clears(deploy: Deploy, report: Report) -> None:
    public = free_port()
    ports = {name: free_port() for name in ("api", "base_worker", "queues", "more_queues")}
    async with deploy() as deployment:
        await deployment.start(
            *("run_api.py", "--port", str(public)),
            settings=deployment.settings.model_copy(update=SCARCE),
            METRICS_PORT=str(ports["api"]),
        )
        await deployment.start(*deployment.engine.worker, METRICS_PORT=str(ports["base_worker"]))
        await start_queues(deployment, ports["queues"])
        spare = await start_queues(deployment, ports["more_queues"])
        async with watching(deployment.folder / "prometheus", ports) as prometheus:
            await prometheus.until(ALL_AT_ONCE - {"NoLiveWorker"}, fire=False)

            async with locked_users(deployment), impatient_clients(public):
                await neglect_a_job(deployment)
                await trouble_the_worker(deployment)
                await spare.kill()
                fired = await prometheus.until(ALL_AT_ONCE, fire=True)
            await deployment.start(*deployment.engine.email_worker)
            await start_queues(deployment, ports["more_queues"])
            cleared = await prometheus.until(ALL_AT_ONCE, fire=False)

            await deployment.redis.kill()
            fired |= await prometheus.until({"DependencyDown"}, fire=True)
            await deployment.redis.restart()
            cleared |= await prometheus.until({"DependencyDown"}, fire=False)
    for name in fired:
        report(f"{name:22} fired after {fired[name]:4.1f} s, cleared after {cleared[name]:4.1f} s")


async def start_queues(deployment: Deployment, port: int) -> Process:
    return await deployment.start("-m", "app", "metrics", "--port", str(port))


async def neglect_a_job(deployment: Deployment) -> None:
    """Store a job that was due an hour ago on a queue without a worker."""
    async with deployment.resources.unit_of_work() as uow:
        job = SendEmailVerification(email="stranger@example.com")
        uow.enqueue(job, at=datetime.now(UTC) - LONG_AGO)
    await execute(
        deployment.settings.for_owner.database_url,
        "UPDATE outbox SET created_at = now() - interval '1 hour' WHERE queue = 'email'",
    )


async def trouble_the_worker(deployment: Deployment) -> None:
    """Send a job that another worker takes, one that fails, and one that blocks the worker."""
    queues = deployment.resources.queues
    lost: UUID = await queues.send(Work(number=1, seconds=60))
    await deployment.ledger.wait_for("starts", [1])
    await queues[BASE].set(QueueKeys(BASE).in_progress(lost), "other/1/1", px=60_000)
    await deployment.send([Fail()])
    await deployment.send([Block(number=2, seconds=4)])


@asynccontextmanager
async def locked_users(deployment: Deployment) -> AsyncIterator[None]:
    """Lock the rows that each login reads."""
    engine = create_async_engine(deployment.settings.for_owner.database_url)
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        yield
    await engine.dispose()


@asynccontextmanager
async def impatient_clients(port: int) -> AsyncIterator[None]:
    """Run some clients that try to log in all the time."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
        )
        tasks = [asyncio.create_task(log_in_forever(client)) for _ in range(IMPATIENT_CLIENTS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def log_in_forever(client: httpx2.AsyncClient) -> None:
    while True:
        with suppress(httpx2.TransportError):
            await client.post(
                "/api/v1/login/access-token", data={"username": "a@b.example", "password": "wrong"}
            )
        await asyncio.sleep(0.1)
