"""The two engines that are tested: ours, and stock arq."""

from collections.abc import Sequence
from typing import Protocol

from arq import create_pool
from arq.connections import RedisSettings

from app.core.queue import BASE, Job
from app.core.redis import queue_address
from app.core.resources import Resources


class Engine(Protocol):
    """How to start its processes, what a ready worker prints, and how to send jobs."""

    @property
    def worker(self) -> Sequence[str]: ...
    @property
    def email_worker(self) -> Sequence[str]: ...
    @property
    def api(self) -> str: ...
    @property
    def at_work(self) -> str: ...

    async def send(self, resources: Resources, jobs: Sequence[Job]) -> None: ...


class Ours:
    worker = ("-m", "tests.chaos.worker")
    email_worker = ("run_email_worker.py",)
    api = "main:app"
    at_work = "worker.started"

    async def send(self, resources: Resources, jobs: Sequence[Job]) -> None:
        async with resources.unit_of_work() as uow:
            for job in jobs:
                uow.enqueue(job)


class Stock:
    worker = ("-m", "arq", "tests.chaos.stock.worker.WorkerSettings")
    email_worker = ("-m", "arq", "tests.chaos.stock.email_worker.WorkerSettings")
    api = "tests.chaos.stock.api:app"
    at_work = "Starting worker"

    async def send(self, resources: Resources, jobs: Sequence[Job]) -> None:
        pool = await create_pool(
            RedisSettings.from_dsn(queue_address(BASE, resources.settings).url)
        )
        for job in jobs:
            await pool.enqueue_job(type(job).__name__, **job.model_dump())
        await pool.aclose()
