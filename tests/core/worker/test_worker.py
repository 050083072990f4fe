import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import NamedTuple, Self
from uuid import UUID

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.job_record import JobState
from app.core.job_store import find_job
from app.core.outbox import find, outbox
from app.core.presence import live_workers
from app.core.queue import BASE, EMAIL, Job, QueuePools
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.worker.runner import create_worker
from app.core.worker.settings import worker_settings
from app.dev.mail_catcher import MailCatcher
from app.dev.valkey import valkey
from app.schemas.user import UserRegister
from app.services.signup_service import SignupService
from app.workers.context import JobContext
from tests.accounts import ADA, CALLER
from tests.conftest import said, until
from tests.core.worker import slow_worker
from tests.core.worker.test_lease import note
from tests.ports import CLOSED_PORT
from tests.processes import running

STOCK_COMMAND = ("-m", "arq", "app.core.worker.email_settings.WorkerSettings")
STOCK_CHECK = (*STOCK_COMMAND, "--check")


async def test_the_email_worker_sends_a_mail_and_arqs_own_check_sees_the_worker(
    committing: Resources, mails: MailCatcher
) -> None:
    settings = committing.settings
    async with committing.unit_of_work() as uow:
        ada = UserRegister.model_validate(ADA)
        await SignupService(uow, committing, CALLER).sign_up(ada)

    async with running(settings, *STOCK_CHECK) as check:
        assert await check.ended() == 1
    async with running(settings, "run_email_worker.py") as worker:
        assert (await mails.anext(timeout=20)).to == ["ada@example.com"]
        assert await live_workers(EMAIL, committing.queues) == 1
        async with running(settings, *STOCK_CHECK) as check:
            assert await check.ended() == 0

        worker.signal(SIGINT)
        assert await worker.ended() == 0
    assert await live_workers(EMAIL, committing.queues) == 0


async def test_a_worker_that_is_stopped_finishes_its_jobs_and_takes_no_new_one(
    settings: Settings, queues: QueuePools
) -> None:
    async with running(settings, "-m", "tests.core.worker.slow_worker") as worker:
        first = await queues.send(slow_worker.Knit())
        await worker.says("knitting")
        worker.signal(SIGTERM)
        await worker.says("worker.stopping")
        second = await queues.send(slow_worker.Knit())
        await queues[BASE].set(slow_worker.WOOL, "here it is")
        assert await worker.ended() == 0

    done, waiting = await find_job(queues, first), await find_job(queues, second)
    assert done is not None
    assert waiting is not None
    assert (done.state, waiting.state) == (JobState.SUCCEEDED, JobState.QUEUED)


async def test_a_job_that_outlasts_the_grace_period_goes_back_to_its_queue(
    settings: Settings, queues: QueuePools
) -> None:
    hasty = settings.model_copy(update={"worker_grace_period": 1})
    async with running(hasty, "-m", "tests.core.worker.slow_worker") as worker:
        job_id = await queues.send(slow_worker.Knit())
        await worker.says("knitting")
        worker.signal(SIGTERM)
        await worker.says("job.interrupted")
        assert await worker.ended() == 0

    record = await find_job(queues, job_id)
    assert record is not None
    assert (record.state, record.attempt) == (JobState.QUEUED, 0), "the interrupted try counts"


async def test_the_stock_command_of_arq_serves_the_same_queue(
    committing: Resources, mails: MailCatcher
) -> None:
    async with committing.unit_of_work() as uow:
        ada = UserRegister.model_validate(ADA)
        await SignupService(uow, committing, CALLER).sign_up(ada)

    async with running(committing.settings, *STOCK_COMMAND, "--burst") as stock:
        assert (await mails.anext(timeout=20)).to == ["ada@example.com"]
        assert await stock.ended() == 0
    async with committing.database.sessions() as session:
        assert (await session.execute(select(outbox))).all() == []


@pytest.fixture
def outage() -> Iterator[None]:
    """redis-py leaves some sockets of a server that died to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Ping(Job, queue=BASE):
    number: int


@pytest.mark.parametrize("swallowed", [1, 3])
async def test_a_job_that_swallows_its_cancellation_does_not_keep_its_worker(
    settings: Settings, queues: QueuePools, swallowed: int
) -> None:
    """redis-py, for one, can turn a cancellation into an error of its connection."""

    async def stubborn(_: JobContext, job: Ping) -> None:
        begun.set()
        for _round in range(swallowed):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(job.number)

    begun = asyncio.Event()
    worker = create_worker(
        worker_settings(BASE, handlers=[stubborn], settings=settings),
        handle_signals=False,
    )
    await queues.send(Ping(number=60))
    task = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()

    await asyncio.wait_for(worker.close(), 20)


async def test_a_job_that_takes_its_worker_along_is_given_up(
    committing: Resources, queues: QueuePools
) -> None:
    async with committing.unit_of_work() as uow:
        job_id = uow.enqueue(Ping(number=1))
    await note(queues[BASE], f"{BASE.key}:crashes", str(job_id), 3)

    async with Pinging(committing.settings) as pinging:
        await until(lambda: is_dead(committing, job_id))
        assert pinging.pings.empty()

    async with committing.database.sessions() as session:
        letter = (await session.execute(select(outbox))).one()
    assert letter.error == "WorkerDied: the worker died 3 times while this job ran"
    assert (letter.payload, letter.crashes) == ({"number": 1}, 3)


async def test_a_job_that_cannot_be_buried_is_not_forgotten(
    settings: Settings, queues: QueuePools
) -> None:
    away = f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x"
    lost = settings.model_copy(update={"database_url": away})
    job_id = await queues.send(Ping(number=1))
    await note(queues[BASE], f"{BASE.key}:crashes", str(job_id), 3)

    with capture_logs() as lines:
        async with Pinging(lost):
            await until(lambda: said(lines, "job.not_buried"))

    record = await find_job(queues, job_id)
    assert record is not None
    assert record.state in {JobState.SCHEDULED, JobState.QUEUED}


async def test_a_running_job_can_be_cancelled(settings: Settings, queues: QueuePools) -> None:
    async with Pinging(settings) as pinging:
        pinging.may_go_on.clear()
        job_id = await queues.send(Ping(number=1))
        assert await pinging.next() == 1
        await queues[BASE].zadd("arq:abort", {str(job_id): 1})

        await until(lambda: has_ended(queues, job_id))
        await queues.send(Ping(number=2))
        assert await pinging.next() == 2


async def test_a_job_whose_lease_was_lost_is_stopped_and_what_it_did_is_not_heard(
    settings: Settings, queues: QueuePools
) -> None:
    async with Pinging(settings) as pinging:
        pinging.may_go_on.clear()
        job_id = await queues.send(Ping(number=1))
        assert await pinging.next() == 1
        await queues[BASE].set(f"arq:in-progress:{job_id}", "other/1/1", px=60_000)
        with capture_logs() as lines:
            await until(lambda: said(lines, "job.lease_lost"))
            await until(lambda: said(lines, "job.interrupted"))

        record = await find_job(queues, job_id)
        assert record is not None
        assert record.state is JobState.RUNNING


async def test_a_job_waits_longer_for_a_connection_than_a_request(
    settings: Settings, queues: QueuePools
) -> None:
    scarce = {"database_pool_size": 1, "database_max_overflow": 0, "database_pool_timeout": 0.05}
    attempts: list[int] = []

    async def read(ctx: JobContext, job: Ping) -> None:  # noqa: ARG001
        attempts.append(ctx.attempt)
        async with ctx.unit_of_work() as uow:
            await uow.session.execute(text("SELECT pg_sleep(0.2)"))

    worker = create_worker(
        worker_settings(BASE, handlers=[read], settings=settings.model_copy(update=scarce)),
        handle_signals=False,
        burst=True,
    )
    job_ids = [await queues.send(Ping(number=number)) for number in range(3)]
    await worker.async_run()
    await worker.close()

    assert attempts == [1, 1, 1]
    assert all([await succeeded(queues, job_id) for job_id in job_ids])


class Pinging:
    """A worker in this process; `pings` holds the numbers of the jobs that it ran."""

    def __init__(self, settings: Settings) -> None:
        self.pings: asyncio.Queue[int] = asyncio.Queue()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

        async def ping(_: JobContext, job: Ping) -> None:
            self.pings.put_nowait(job.number)
            await self.may_go_on.wait()

        self.worker = create_worker(
            worker_settings(BASE, handlers=[ping], settings=settings),
            handle_signals=False,
        )

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.worker.async_run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.worker.close()

    async def next(self) -> int:
        return await asyncio.wait_for(self.pings.get(), 20)


class Own(NamedTuple):
    settings: Settings
    url: str
    queues: QueuePools


@asynccontextmanager
async def redis_at(
    settings: Settings, folder: Path, place: str | None = None
) -> AsyncIterator[Own]:
    """Run a Redis of the test's own, where another one was before if its URL is given."""
    with valkey(folder, port=int(place.rpartition(":")[2]) if place else None) as url:
        own = settings.model_copy(update={"queue_redis_urls": {}, "redis_url": url})
        async with open_pools(own) as queues:
            yield Own(own, url, queues)


@pytest.mark.usefixtures("outage")
async def test_a_worker_outlives_a_restart_of_redis(settings: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with redis_at(settings, tmp_path) as redis:
            pinging = await stack.enter_async_context(Pinging(redis.settings))
            await redis.queues.send(Ping(number=1))
            assert await pinging.next() == 1
        redis = await stack.enter_async_context(redis_at(settings, tmp_path, redis.url))
        await redis.queues.send(Ping(number=2))
        assert await pinging.next() == 2


@pytest.mark.usefixtures("outage")
async def test_a_job_that_ends_while_redis_is_away_is_not_run_again(
    settings: Settings, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        async with redis_at(settings, tmp_path) as redis:
            pinging = await stack.enter_async_context(Pinging(redis.settings))
            pinging.may_go_on.clear()
            job_id = await redis.queues.send(Ping(number=1))
            assert await pinging.next() == 1
        pinging.may_go_on.set()
        redis = await stack.enter_async_context(redis_at(settings, tmp_path, redis.url))
        await until(lambda: succeeded(redis.queues, job_id))
        await redis.queues.send(Ping(number=2))
        assert await pinging.next() == 2


@pytest.mark.usefixtures("outage")
async def test_a_worker_waits_for_a_redis_that_is_away_and_says_so_once(
    settings: Settings, tmp_path: Path
) -> None:
    async with redis_at(settings, tmp_path) as redis:
        pass
    with capture_logs() as lines:
        async with AsyncExitStack() as stack:
            pinging = await stack.enter_async_context(Pinging(redis.settings))
            await until(lambda: said(lines, "redis.away"))
            redis = await stack.enter_async_context(redis_at(settings, tmp_path, redis.url))
            await redis.queues.send(Ping(number=1))
            assert await pinging.next() == 1
            events = [line["event"] for line in lines]

    assert (events.count("redis.away"), events.count("redis.back")) == (1, 1)


async def has_ended(queues: QueuePools, job_id: UUID) -> bool:
    record = await find_job(queues, job_id)
    return record is not None and record.finished_at is not None


async def is_dead(resources: Resources, job_id: UUID) -> bool:
    async with resources.database.sessions() as session:
        record = await find(session, job_id)
    return record is not None and record.state is JobState.FAILED


async def succeeded(queues: QueuePools, job_id: UUID) -> bool:
    record = await find_job(queues, job_id)
    return record is not None and record.state is JobState.SUCCEEDED
