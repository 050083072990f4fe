import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import NamedTuple, Self
from uuid import UUID

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.control.workers import count_live_workers
from app.core.job_store.outbox import find, outbox
from app.core.job_store.record import JobState
from app.core.queue import BASE, EMAIL, Job, QueuePools, Retry
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.worker.engine import outage
from app.core.worker.engine.worker import Worker
from app.core.worker.settings import worker_settings
from app.schemas.user import UserRegister
from app.services.signup_service import SignupService
from app.workers.context import JobContext
from dev.mail_catcher import MailCatcher
from dev.valkey import valkey
from tests.core.worker.engine import blocking_worker, exiting_worker, slow_worker
from tests.records import find_job
from tests.support.accounts import ADA, open_anonymous_scope
from tests.support.ports import CLOSED_PORT
from tests.support.processes import run_process
from tests.support.redis import set_hash_field
from tests.support.waiting import logged, stall_limit, wait_until

KEYS = QueueKeys(BASE)


STOCK_COMMAND = ("-m", "arq", "app.core.worker.email_settings.WorkerSettings")
STOCK_CHECK = (*STOCK_COMMAND, "--check")


async def test_the_email_worker_sends_an_email_and_the_check_of_arq_sees_the_worker(
    committing_resources: Resources, mail_catcher: MailCatcher
) -> None:
    settings = committing_resources.settings
    async with open_anonymous_scope(committing_resources) as scope:
        await SignupService(scope).sign_up(UserRegister.model_validate(ADA))

    async with run_process(settings, *STOCK_CHECK) as check:
        assert await check.wait_for_exit() == 1
    async with run_process(settings, "run_email_worker.py") as worker:
        assert (await mail_catcher.anext()).to == ["ada@example.com"]
        assert await count_live_workers(committing_resources.queues, EMAIL) == 1
        async with run_process(settings, *STOCK_CHECK) as check:
            assert await check.wait_for_exit() == 0

        worker.signal(SIGINT)
        assert await worker.wait_for_exit() == 0
    assert await count_live_workers(committing_resources.queues, EMAIL) == 0


async def test_a_stopping_worker_finishes_its_jobs_and_takes_no_new_one(
    settings: Settings, queues: QueuePools
) -> None:
    async with run_process(settings, "-m", "tests.core.worker.engine.slow_worker") as worker:
        first = await queues.send(slow_worker.Knit())
        await worker.wait_for_line("knitting")
        worker.signal(SIGTERM)
        await worker.wait_for_line("worker.stopping")
        second = await queues.send(slow_worker.Knit())
        await queues[BASE].set(slow_worker.WOOL, "here it is")
        assert await worker.wait_for_exit() == 0

    done, waiting = await find_job(queues, first), await find_job(queues, second)
    assert done is not None
    assert waiting is not None
    assert (done.state, waiting.state) == (JobState.SUCCEEDED, JobState.QUEUED)


async def test_a_job_that_outlasts_the_grace_period_goes_back_to_its_queue(
    settings: Settings, queues: QueuePools
) -> None:
    hasty = settings.model_copy(update={"worker_grace_period": 1})
    async with run_process(hasty, "-m", "tests.core.worker.engine.slow_worker") as worker:
        job_id = await queues.send(slow_worker.Knit())
        await worker.wait_for_line("knitting")
        worker.signal(SIGTERM)
        await worker.wait_for_line("job.interrupted")
        assert await worker.wait_for_exit() == 0

    record = await find_job(queues, job_id)
    assert record is not None
    assert (record.state, record.attempt) == (JobState.QUEUED, 0), "the interrupted try counts"


async def test_a_thread_that_outlasts_the_grace_period_does_not_keep_its_process_alive(
    settings: Settings, queues: QueuePools
) -> None:
    hasty = settings.model_copy(update={"worker_grace_period": 1})
    async with run_process(hasty, "-m", "tests.core.worker.engine.blocking_worker") as worker:
        # The maximum number of jobs. There are fewer threads, so all of them are busy.
        job_ids = [await queues.send(blocking_worker.Compress()) for _ in range(BASE.concurrency)]
        for _ in job_ids:
            await worker.wait_for_line("compressing")
        worker.signal(SIGTERM)
        assert await worker.wait_for_exit() == 0

    for job_id in job_ids:
        record = await find_job(queues, job_id)
        assert record is not None
        assert (record.state, record.attempt) == (JobState.QUEUED, 0), "the job is handed over"
    assert "worker.left_threads" in worker.output


@pytest.mark.parametrize("in_a_task", [False, True])
async def test_a_handler_that_exits_fails_its_job_and_not_the_worker(
    committing_resources: Resources, in_a_task: bool
) -> None:
    settings, queues = committing_resources.settings, committing_resources.queues
    async with run_process(settings, "-m", "tests.core.worker.engine.exiting_worker") as worker:
        exiting = await queues.send(exiting_worker.Exit(in_a_task=in_a_task))
        await wait_until(lambda: has_ended(queues, exiting))
        staying = await queues.send(exiting_worker.Stay())
        await wait_until(lambda: succeeded(queues, staying))
        worker.signal(SIGTERM)
        assert await worker.wait_for_exit() == 0

    record = await find_job(queues, exiting)
    assert record is not None
    assert (record.state, record.error) == (JobState.FAILED, "SystemExit: 3")


async def test_the_stock_command_of_arq_serves_the_same_queue(
    committing_resources: Resources, mail_catcher: MailCatcher
) -> None:
    async with open_anonymous_scope(committing_resources) as scope:
        await SignupService(scope).sign_up(UserRegister.model_validate(ADA))

    async with run_process(committing_resources.settings, *STOCK_COMMAND, "--burst") as stock:
        assert (await mail_catcher.anext()).to == ["ada@example.com"]
        assert await stock.wait_for_exit() == 0
    async with committing_resources.database.sessions() as session:
        assert (await session.execute(select(outbox))).all() == []


@pytest.fixture
def redis_goes_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make a worker retry often, and ignore sockets that redis-py leaves to the collector."""
    monkeypatch.setattr(outage, "RETRY_INTERVAL", 0.05)
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
    """For example, redis-py can turn a cancellation into a connection error."""

    async def stubborn(_: JobContext, job: Ping) -> None:
        begun.set()
        for _round in range(swallowed):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(job.number)

    begun = asyncio.Event()
    worker = Worker(worker_settings(BASE, handlers=[stubborn], settings=settings))
    await queues.send(Ping(number=60))
    task = asyncio.create_task(worker.run())
    await begun.wait()
    task.cancel()

    async with stall_limit("the end of the worker"):
        await asyncio.wait([task])


async def test_a_job_that_crashes_three_workers_becomes_a_dead_letter(
    committing_resources: Resources, queues: QueuePools
) -> None:
    async with committing_resources.unit_of_work() as uow:
        job_id = uow.enqueue(Ping(number=1))
    await set_hash_field(queues[BASE], KEYS.crashes, str(job_id), 3)

    async with Pinging(committing_resources.settings) as pinging:
        await wait_until(lambda: is_dead(committing_resources, job_id))
        assert pinging.pings.empty()

    async with committing_resources.database.sessions() as session:
        letter = (await session.execute(select(outbox))).one()
    assert letter.error == "WorkerDied: the worker died 3 times while this job ran"
    assert (letter.payload, letter.crashes) == ({"number": 1}, 3)


async def test_a_job_whose_dead_letter_cannot_be_stored_is_not_lost(
    settings: Settings, queues: QueuePools
) -> None:
    away = f"postgresql+asyncpg://a:b@127.0.0.1:{CLOSED_PORT}/x"
    lost = settings.model_copy(update={"database_url": away})
    job_id = await queues.send(Ping(number=1))
    await set_hash_field(queues[BASE], KEYS.crashes, str(job_id), 3)

    with capture_logs() as lines:
        async with Pinging(lost):
            await wait_until(lambda: logged(lines, "job.dead_letter_failed"))

    record = await find_job(queues, job_id)
    assert record is not None
    assert record.state in {JobState.SCHEDULED, JobState.QUEUED}


async def test_a_running_job_can_be_canceled(settings: Settings, queues: QueuePools) -> None:
    async with Pinging(settings) as pinging:
        pinging.may_go_on.clear()
        job_id = await queues.send(Ping(number=1))
        assert await pinging.next() == 1
        await queues[BASE].zadd(KEYS.abort, {str(job_id): 1})

        await wait_until(lambda: has_ended(queues, job_id))
        await queues.send(Ping(number=2))
        assert await pinging.next() == 2


async def test_a_job_that_lost_its_lease_is_stopped_and_its_outcome_is_dropped(
    settings: Settings, queues: QueuePools
) -> None:
    async with Pinging(settings) as pinging:
        pinging.may_go_on.clear()
        job_id = await queues.send(Ping(number=1))
        assert await pinging.next() == 1
        await queues[BASE].set(KEYS.in_progress(job_id), "other/1/1", px=60_000)
        with capture_logs() as lines:
            await wait_until(lambda: logged(lines, "job.lease_lost"))
            await wait_until(lambda: logged(lines, "job.interrupted"))

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
        async with ctx.scope() as scope:
            await scope.uow.session.execute(text("SELECT pg_sleep(0.2)"))

    worker = Worker(
        worker_settings(BASE, handlers=[read], settings=settings.model_copy(update=scarce)),
        burst=True,
    )
    job_ids = [await queues.send(Ping(number=number)) for number in range(3)]
    await worker.run()

    assert attempts == [1, 1, 1]
    assert all([await succeeded(queues, job_id) for job_id in job_ids])


class Pinging:
    """A worker in this process. `pings` has the numbers of the jobs that it ran."""

    def __init__(self, settings: Settings) -> None:
        self.pings: asyncio.Queue[int] = asyncio.Queue()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

        async def ping(_: JobContext, job: Ping) -> None:
            self.pings.put_nowait(job.number)
            await self.may_go_on.wait()

        self.worker = Worker(worker_settings(BASE, handlers=[ping], settings=settings))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def next(self) -> int:
        async with stall_limit("a ping"):
            return await self.pings.get()


class Own(NamedTuple):
    settings: Settings
    url: str
    queues: QueuePools


@asynccontextmanager
async def redis_at(
    settings: Settings, folder: Path, place: str | None = None
) -> AsyncIterator[Own]:
    """Run a Redis for this test, in the place of an earlier one if its URL is given."""
    with valkey(folder, port=int(place.rpartition(":")[2]) if place else None) as url:
        own = settings.model_copy(update={"queue_redis_urls": {}, "redis_url": url})
        async with open_pools(own) as queues:
            yield Own(own, url, queues)


@pytest.mark.usefixtures("redis_goes_away")
async def test_a_worker_survives_a_restart_of_redis(settings: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with redis_at(settings, tmp_path) as redis:
            pinging = await stack.enter_async_context(Pinging(redis.settings))
            await redis.queues.send(Ping(number=1))
            assert await pinging.next() == 1
        redis = await stack.enter_async_context(redis_at(settings, tmp_path, redis.url))
        await redis.queues.send(Ping(number=2))
        assert await pinging.next() == 2


@pytest.mark.usefixtures("redis_goes_away")
async def test_a_job_that_ends_while_redis_is_down_is_not_run_again(
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
        await wait_until(lambda: succeeded(redis.queues, job_id))
        await redis.queues.send(Ping(number=2))
        assert await pinging.next() == 2


@pytest.mark.usefixtures("redis_goes_away")
async def test_a_worker_waits_for_redis_and_logs_the_outage_once(
    settings: Settings, tmp_path: Path
) -> None:
    async with redis_at(settings, tmp_path) as redis:
        pass
    with capture_logs() as lines:
        async with AsyncExitStack() as stack:
            pinging = await stack.enter_async_context(Pinging(redis.settings))
            await wait_until(lambda: logged(lines, "redis.away"))
            redis = await stack.enter_async_context(redis_at(settings, tmp_path, redis.url))
            await redis.queues.send(Ping(number=1))
            assert await pinging.next() == 1
            events = [line["event"] for line in lines]

    assert (events.count("redis.away"), events.count("redis.back")) == (1, 1)


async def test_a_worker_that_waits_for_redis_can_be_stopped(settings: Settings) -> None:
    away = settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
    )
    async with run_process(away, "run_base_worker.py") as worker:
        await worker.wait_for_line("redis.away")
        worker.signal(SIGTERM)
        assert await worker.wait_for_exit() == 0

    assert "worker.started" not in worker.output


async def test_a_worker_whose_outcomes_redis_refuses_claims_no_more_jobs_meanwhile(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def put_off(_: JobContext, job: Ping) -> None:
        # An outcome needs this command, and a claim does not.
        rule = ("ACL", "SETUSER", "default", "-hexists")
        await queues[BASE].execute_command(*rule)  # type: ignore[no-untyped-call]
        raise Retry(defer=60 + job.number)

    monkeypatch.setattr(outage, "RETRY_INTERVAL", 0.01)
    async with redis_at(settings, tmp_path) as (own, _, queues):
        for number in range(100):
            await queues.send(Ping(number=number))
        found = worker_settings(BASE, handlers=[put_off], settings=own)
        working = asyncio.create_task(Worker(replace(found, max_jobs=1)).run())

        await wait_until(lambda: refused(queues, times=20))
        claimed = await queues[BASE].zcard(KEYS.running)
        working.cancel()
        await asyncio.wait([working])

    assert 1 <= claimed <= 2


async def refused(queues: QueuePools, *, times: int) -> bool:
    """Return whether scripts have failed a number of times on a server of this test."""
    stats = await queues[BASE].info("commandstats")
    return int(stats["cmdstat_evalsha"]["failed_calls"]) >= times


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
