import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session

from app.core.broker.keys import QueueKeys
from app.core.config import Settings
from app.core.job_store import outbox
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import BASE, Job, QueuePools, Retry
from app.core.resources import Resources
from app.core.worker.execution.backoff import MAX_DELAY, backoff
from app.core.worker.settings import WorkerSettings, worker_settings
from app.models import User
from app.workers.context import AlreadyDone, JobContext
from tests.records import find_job
from tests.support.redis import counting_round_trips
from tests.support.service import with_settings
from tests.support.workers import RunWorker

KEYS = QueueKeys(BASE)


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker and its outbox relay can see."""
    return committing_resources


class Paint(Job, queue=BASE, max_tries=3, backoff=0.001, final=(ZeroDivisionError,)):
    color: str


class QuickPaint(Job, queue=BASE, max_tries=3, backoff=0.001, timeout=0.05):
    pass


Run = Callable[[Callable[[JobContext, Paint], Awaitable[object]]], Awaitable[JobRecord]]


def painting(handler: Callable[[JobContext, Paint], Awaitable[object]]) -> WorkerSettings:
    async def paint(ctx: JobContext, job: Paint) -> object:
        return await handler(ctx, job)

    return worker_settings(BASE, handlers=[paint], settings=Settings(_env_file=None))


@pytest.fixture
def run(queues: QueuePools, run_worker: RunWorker) -> Run:
    """Send a job, run it to its end in a worker, and return its status."""

    async def run(handler: Callable[[JobContext, Paint], Awaitable[object]]) -> JobRecord:
        job_id = await queues.send(Paint(color="red"))
        await run_worker(painting(handler))
        record = await find_job(queues, job_id)
        assert record is not None
        return record

    return run


async def test_a_handler_gets_its_job_and_may_return_a_result(run: Run) -> None:
    async def paint(_: JobContext, job: Paint) -> dict[str, str]:
        return {"painted": job.color}

    record = await run(paint)

    assert (record.state, record.result) == (JobState.SUCCEEDED, {"painted": "red"})
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.enqueued_at <= record.started_at <= record.finished_at


async def test_a_failed_job_is_tried_again(run: Run) -> None:
    async def paint(ctx: JobContext, _: Paint) -> int:
        if ctx.attempt < 3:
            raise OSError("no paint")
        return ctx.attempt

    record = await run(paint)

    assert (record.state, record.attempt, record.result) == (JobState.SUCCEEDED, 3, 3)


async def test_the_status_of_a_failed_job_shows_its_last_error(run: Run) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        raise OSError("no paint")

    record = await run(paint)

    assert (record.state, record.attempt) == (JobState.FAILED, 3)
    assert record.error == "OSError: no paint"


async def test_a_final_error_is_not_tried_again(run: Run) -> None:
    async def paint(_: JobContext, __: Paint) -> float:
        return 1 / 0

    record = await run(paint)

    assert (record.state, record.attempt) == (JobState.FAILED, 1)


async def test_a_timeout_is_a_failure_like_any_other(
    queues: QueuePools, run_worker: RunWorker
) -> None:
    async def paint(_: JobContext, job: QuickPaint) -> None:  # noqa: ARG001
        await asyncio.Event().wait()

    job_id = await queues.send(QuickPaint())
    await run_worker(worker_settings(BASE, handlers=[paint], settings=Settings(_env_file=None)))
    record = await find_job(queues, job_id)

    assert record is not None
    assert (record.state, record.attempt, record.error) == (JobState.FAILED, 3, "TimeoutError")


async def test_a_handler_may_defer_its_job(run: Run) -> None:
    async def paint(ctx: JobContext, _: Paint) -> int:
        if ctx.attempt == 1:
            raise Retry(defer=timedelta(milliseconds=1))
        return ctx.attempt

    assert (await run(paint)).result == 2


async def test_a_job_can_be_watched_while_it_runs(
    queues: QueuePools, run_worker: RunWorker
) -> None:
    seen: list[JobRecord | None] = []

    async def paint(ctx: JobContext, _: Paint) -> None:
        await ctx.progress(0.25)
        seen.append(await find_job(queues, ctx.job_id))

    await queues.send(Paint(color="red"))
    await run_worker(painting(paint))

    [record] = seen
    assert record is not None
    assert (record.state, record.attempt, record.progress) == (JobState.RUNNING, 1, 0.25)
    assert record.started_at is not None


async def test_progress_in_a_tight_loop_costs_few_writes_and_its_last_value_arrives(
    queues: QueuePools, run: Run
) -> None:
    async def paint(ctx: JobContext, _: Paint) -> None:
        for number in range(10_001):
            await ctx.progress(number / 10_000, f"stroke\n{number}\x00" + "!" * 300)

    async with counting_round_trips(queues[BASE]) as round_trips:
        record = await run(paint)

    writes = [command for trip in round_trips for command in trip if command[0] == "HSET"]
    assert record.progress == 1
    assert record.progress_message == "stroke 10000 " + "!" * 186 + "…"
    assert 1 < len(writes) < 1_000


async def test_progress_starts_from_nothing_with_each_try(run: Run) -> None:
    async def paint(ctx: JobContext, _: Paint) -> None:
        if ctx.attempt == 1:
            await ctx.progress(0.9)
            raise OSError

    assert (await run(paint)).progress is None


async def test_a_result_that_json_cannot_hold_is_a_failure(run: Run) -> None:
    async def paint(_: JobContext, __: Paint) -> object:
        return object()

    record = await run(paint)

    assert (record.state, record.attempt) == (JobState.FAILED, 1)
    assert record.error is not None
    assert "a job's result must be JSON: " in record.error


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
        b"{",
        b"[]",
        b'{"f": "Paint", "a": [{"color": 1}], "k": {}, "t": null, "et": 1}',
        b'{"f": "Paint", "a": [{}], "k": {}, "t": null, "et": 1}',
        b'{"f": "Sculpt", "a": [{}], "k": {}, "t": null, "et": 1}',
        b'{"f": ["Paint"], "a": [{"color": "red"}], "k": {}, "t": null, "et": 1}',
        b'{"f": "Paint", "a": [{"color": "red"}], "k": {}, "t": null, "et": "never"}',
        b'{"f": "Paint", "a": [{"color": "red"}], "k": [], "t": null, "et": 1}',
    ],
    ids=[
        *("pickle", "broken", "no object", "wrong type", "missing field", "unknown job"),
        *("name that is a list", "time that is a text", "options that are a list"),
    ],
)
async def test_garbage_in_redis_never_runs_and_stops_no_other_job(
    resources: Resources, queues: QueuePools, run_worker: RunWorker, payload: bytes
) -> None:
    painted: list[str] = []

    async def paint(_: JobContext, job: Paint) -> None:
        painted.append(job.color)

    garbage = UUID(int=1)
    await queues[BASE].set(KEYS.job(garbage), payload)
    await queues[BASE].zadd(KEYS.queue, {str(garbage): 1})
    await queues.send(Paint(color="red"))
    await run_worker(painting(paint), using=impatient(resources))

    assert painted == ["red"]
    record = await find_job(queues, garbage)
    assert record is not None
    assert record.state is JobState.FAILED
    assert record.attempt <= 1


def impatient(resources: Resources) -> Resources:
    """Return resources with which a job does not wait for a worker of another release."""
    return with_settings(resources, incompatible_job_timeout=0)


async def enqueue(resources: Resources, color: str = "red") -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(Paint(color=color))


async def row(resources: Resources, job_id: UUID) -> JobRecord | None:
    async with resources.unit_of_work() as uow:
        return await outbox.find(uow.session, job_id)


async def test_the_row_of_a_job_is_removed_when_the_job_has_succeeded(
    resources: Resources, run_worker: RunWorker
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    job_id = await enqueue(resources)
    await run_worker(painting(paint))

    assert await row(resources, job_id) is None


async def test_the_row_of_a_job_is_removed_together_with_its_effect(
    resources: Resources, run_worker: RunWorker
) -> None:
    async def paint(ctx: JobContext, _: Paint) -> None:
        async with ctx.completion() as scope:
            scope.uow.session.add(User(email=f"{ctx.attempt}@example.com", password_hash=""))
            await scope.uow.session.flush()
            if ctx.attempt == 1:
                raise OSError("no paint")

    job_id = await enqueue(resources)
    await run_worker(painting(paint))

    assert await row(resources, job_id) is None
    async with resources.unit_of_work() as uow:
        assert (await uow.session.scalars(select(User.email))).all() == ["2@example.com"]


async def test_an_effect_without_a_session_costs_no_session(resources: Resources) -> None:
    """A session would take twice as long as the whole rest of the job."""
    job_id = await enqueue(resources)
    sessions: list[Session] = []
    event.listen(Session, "after_begin", lambda session, *_: sessions.append(session))

    ctx = JobContext(job_id=job_id, attempt=1, queue=BASE, resources=resources, durable=True)
    async with ctx.completion() as scope:
        scope.uow.insert_at_end(insert(User), email="someone@example.com", password_hash="")

    assert sessions == []
    assert await row(resources, job_id) is None


async def test_two_workers_on_one_job_have_one_effect(resources: Resources) -> None:
    job_id = await enqueue(resources)
    both_began = asyncio.Barrier(2)

    async def effect() -> None:
        ctx = JobContext(job_id=job_id, attempt=1, queue=BASE, resources=resources, durable=True)
        await both_began.wait()
        async with ctx.completion() as scope:
            scope.uow.session.add(User(email=f"{uuid4()}@example.com", password_hash=""))

    outcomes = await asyncio.gather(effect(), effect(), return_exceptions=True)

    assert sorted(isinstance(outcome, AlreadyDone) for outcome in outcomes) == [False, True]
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(func.count()).select_from(User)) == 1


async def test_a_job_that_ended_just_before_its_worker_crashed_is_not_run_again(
    resources: Resources, queues: QueuePools, run_worker: RunWorker
) -> None:
    painted: list[str] = []

    async def paint(_: JobContext, job: Paint) -> None:
        painted.append(job.color)

    job_id = await enqueue(resources)
    async with resources.unit_of_work() as uow:
        await outbox.remove(uow.session, job_id)
    await queues[BASE].incr(KEYS.retry(job_id))  # the first try, which only the row recorded
    await run_worker(painting(paint))

    assert painted == []
    record = await find_job(queues, job_id)
    assert record is not None
    assert (record.state, record.attempt) == (JobState.SUCCEEDED, 2)


@pytest.mark.parametrize("through_the_outbox", [True, False])
async def test_a_job_that_failed_for_good_becomes_a_dead_letter_however_it_was_sent(
    resources: Resources, queues: QueuePools, run_worker: RunWorker, through_the_outbox: bool
) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        raise OSError("no paint")

    job = Paint(color="red")
    job_id = await enqueue(resources) if through_the_outbox else await queues.send(job)
    await run_worker(painting(paint))

    letter = await row(resources, job_id)
    assert letter is not None
    assert (letter.state, letter.attempt, letter.error) == ("failed", 3, "OSError: no paint")
    async with resources.unit_of_work() as uow:
        stored = (await uow.session.execute(select(outbox.outbox))).one()
    assert stored.payload == {"color": "red"}
    assert "raise OSError" in stored.traceback
    assert stored.failed_at


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "UnreadablePayload: the payload is not JSON"),
        (
            b'{"f": "Paint", "a": [{"color": 1}], "k": {}, "t": null, "et": 1}',
            "Mismatch: 1 validation",
        ),
        (
            b'{"f": "Sculpt", "a": [{}], "k": {}, "t": null, "et": 1}',
            "UnknownJob: this release has no",
        ),
    ],
    ids=["broken", "wrong type", "unknown job"],
)
async def test_garbage_becomes_a_dead_letter_with_its_reason(
    resources: Resources, queues: QueuePools, run_worker: RunWorker, payload: bytes, reason: str
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    garbage = uuid4()
    await queues[BASE].set(KEYS.job(garbage), payload)
    await queues[BASE].zadd(KEYS.queue, {str(garbage): 1})
    await run_worker(painting(paint), using=impatient(resources))

    letter = await row(resources, garbage)
    assert letter is not None
    assert letter.state is JobState.FAILED
    assert letter.error is not None
    assert reason in letter.error


async def test_an_id_that_is_no_uuid_becomes_a_dead_letter(
    resources: Resources, queues: QueuePools, run_worker: RunWorker
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    await queues[BASE].zadd(KEYS.queue, {"who": 1})
    await run_worker(painting(paint))

    assert await queues[BASE].zcard(KEYS.queue) == 0
    async with resources.unit_of_work() as uow:
        letter = (await uow.session.execute(select(outbox.outbox))).one()
    assert letter.payload["foreign_id"] == "who"
    assert letter.error == "PayloadMissing: Redis has the id of this job but not its payload"


@pytest.mark.parametrize("attempt", [1, 2, 5, 100])
def test_pauses_double_up_to_a_limit(attempt: int) -> None:
    pauses = [backoff(attempt, first=2) for _ in range(1000)]
    ceiling = min(MAX_DELAY, 2 * 2 ** (attempt - 1))

    assert 0 <= min(pauses) < ceiling * 0.1
    assert ceiling * 0.9 < max(pauses) <= ceiling
