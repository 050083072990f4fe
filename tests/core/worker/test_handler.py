import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.core import outbox
from app.core.config import Settings
from app.core.job_record import JobRecord, JobState
from app.core.job_store import find_job
from app.core.queue import BASE, EMAIL, Job, QueuePools, Retry
from app.core.resources import Resources
from app.core.worker.backoff import LONGEST, backoff
from app.core.worker.settings import WorkerSettings, worker_settings
from app.models import User
from app.schemas.jobs import SendWelcomeEmail
from app.workers.context import AlreadyDone, JobContext
from tests.conftest import WorkOff


@pytest.fixture
def resources(committing: Resources) -> Resources:
    """Commits that the worker and its sweeper see on connections of their own."""
    return committing


class Paint(Job, queue=BASE, max_tries=3, timeout=0.2, backoff=0.001, final=(ZeroDivisionError,)):
    colour: str


Run = Callable[[Callable[[JobContext, Paint], Awaitable[object]]], Awaitable[JobRecord]]


def painting(handler: Callable[[JobContext, Paint], Awaitable[object]]) -> WorkerSettings:
    async def paint(ctx: JobContext, job: Paint) -> object:
        return await handler(ctx, job)

    return worker_settings(BASE, handlers=[paint], settings=Settings(_env_file=None))


@pytest.fixture
def run(queues: QueuePools, work_off: WorkOff) -> Run:
    """Send a job, have a worker run it to its end, and tell how it stands."""

    async def run(handler: Callable[[JobContext, Paint], Awaitable[object]]) -> JobRecord:
        job_id = await queues.send(Paint(colour="red"))
        await work_off(painting(handler))
        record = await find_job(queues, job_id)
        assert record is not None
        return record

    return run


async def test_a_handler_is_given_its_job_and_may_return_something(run: Run) -> None:
    async def paint(_: JobContext, job: Paint) -> dict[str, str]:
        return {"painted": job.colour}

    record = await run(paint)

    assert (record.state, record.result) == (JobState.SUCCEEDED, {"painted": "red"})
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.enqueued_at <= record.started_at <= record.finished_at


async def test_a_failure_is_tried_again(run: Run) -> None:
    async def paint(ctx: JobContext, _: Paint) -> int:
        if ctx.attempt < 3:
            raise OSError("no paint")
        return ctx.attempt

    record = await run(paint)

    assert (record.state, record.attempt, record.result) == (JobState.SUCCEEDED, 3, 3)


async def test_the_last_failure_is_kept_with_its_reason(run: Run) -> None:
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


async def test_a_job_that_takes_too_long_is_a_failure_like_any_other(run: Run) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        await asyncio.Event().wait()

    record = await run(paint)

    assert (record.state, record.attempt, record.error) == (JobState.FAILED, 3, "TimeoutError")


async def test_a_handler_may_put_its_job_off(run: Run) -> None:
    async def paint(ctx: JobContext, _: Paint) -> int:
        if ctx.attempt == 1:
            raise Retry(defer=timedelta(milliseconds=1))
        return ctx.attempt

    assert (await run(paint)).result == 2


async def test_a_job_can_be_watched_while_it_runs(queues: QueuePools, work_off: WorkOff) -> None:
    seen: list[JobRecord | None] = []

    async def paint(ctx: JobContext, _: Paint) -> None:
        await ctx.progress(0.25)
        seen.append(await find_job(queues, ctx.job_id))

    await queues.send(Paint(colour="red"))
    await work_off(painting(paint))

    [record] = seen
    assert record is not None
    assert (record.state, record.attempt, record.progress) == (JobState.RUNNING, 1, 0.25)
    assert record.started_at is not None


async def test_progress_begins_anew_with_each_try(run: Run) -> None:
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
        b'{"f": "Paint", "a": [{"colour": 1}], "k": {}, "t": null, "et": 1}',
        b'{"f": "Paint", "a": [{}], "k": {}, "t": null, "et": 1}',
        b'{"f": "Sculpt", "a": [{}], "k": {}, "t": null, "et": 1}',
    ],
    ids=["pickle", "broken", "no object", "wrong type", "missing field", "unknown job"],
)
async def test_garbage_in_redis_never_runs_and_stops_nobody(
    queues: QueuePools, work_off: WorkOff, payload: bytes
) -> None:
    painted: list[str] = []

    async def paint(_: JobContext, job: Paint) -> None:
        painted.append(job.colour)

    garbage = UUID(int=1)
    await queues[BASE].set(f"arq:job:{garbage}", payload)
    await queues[BASE].zadd(BASE.key, {str(garbage): 1})
    await queues.send(Paint(colour="red"))
    await work_off(painting(paint))

    assert painted == ["red"]
    record = await find_job(queues, garbage)
    assert record is not None
    assert record.state is JobState.FAILED
    assert record.attempt <= 1


async def kept(resources: Resources, colour: str = "red") -> UUID:
    async with resources.unit_of_work() as uow:
        return uow.enqueue(Paint(colour=colour))


async def row(resources: Resources, job_id: UUID) -> JobRecord | None:
    async with resources.unit_of_work() as uow:
        return await outbox.find(uow.session, job_id)


async def test_a_jobs_row_goes_when_it_has_succeeded(
    resources: Resources, work_off: WorkOff
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    job_id = await kept(resources)
    await work_off(painting(paint))

    assert await row(resources, job_id) is None


async def test_a_jobs_row_goes_with_its_effect_or_not_at_all(
    resources: Resources, work_off: WorkOff
) -> None:
    async def paint(ctx: JobContext, _: Paint) -> None:
        async with ctx.completion() as uow:
            uow.session.add(User(email=f"{ctx.attempt}@example.com", password_hash=""))
            await uow.session.flush()
            if ctx.attempt == 1:
                raise OSError("no paint")

    job_id = await kept(resources)
    await work_off(painting(paint))

    assert await row(resources, job_id) is None
    async with resources.unit_of_work() as uow:
        assert (await uow.session.scalars(select(User.email))).all() == ["2@example.com"]


async def test_two_workers_on_one_job_have_one_effect(resources: Resources) -> None:
    job_id = await kept(resources)
    both_began = asyncio.Barrier(2)

    async def effect() -> None:
        ctx = JobContext(job_id=job_id, attempt=1, queue=BASE, resources=resources, kept=True)
        await both_began.wait()
        async with ctx.completion() as uow:
            uow.session.add(User(email=f"{uuid4()}@example.com", password_hash=""))

    outcomes = await asyncio.gather(effect(), effect(), return_exceptions=True)

    assert sorted(isinstance(outcome, AlreadyDone) for outcome in outcomes) == [False, True]
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(func.count()).select_from(User)) == 1


async def test_a_job_that_had_ended_when_its_worker_died_is_not_run_again(
    resources: Resources, queues: QueuePools, work_off: WorkOff
) -> None:
    painted: list[str] = []

    async def paint(_: JobContext, job: Paint) -> None:
        painted.append(job.colour)

    job_id = await kept(resources)
    async with resources.unit_of_work() as uow:
        await outbox.remove(uow.session, job_id)
    await queues[BASE].incr(f"arq:retry:{job_id}")  # the first try, of which only the row told
    await work_off(painting(paint))

    assert painted == []
    record = await find_job(queues, job_id)
    assert record is not None
    assert (record.state, record.attempt) == (JobState.SUCCEEDED, 2)


@pytest.mark.parametrize("through_the_outbox", [True, False])
async def test_a_job_that_failed_for_good_is_a_dead_letter_whichever_way_it_came(
    resources: Resources, queues: QueuePools, work_off: WorkOff, through_the_outbox: bool
) -> None:
    async def paint(_: JobContext, __: Paint) -> None:
        raise OSError("no paint")

    job = Paint(colour="red")
    job_id = await kept(resources) if through_the_outbox else await queues.send(job)
    await work_off(painting(paint))

    letter = await row(resources, job_id)
    assert letter is not None
    assert (letter.state, letter.attempt, letter.error) == ("failed", 3, "OSError: no paint")
    async with resources.unit_of_work() as uow:
        stored = (await uow.session.execute(select(outbox.outbox))).one()
    assert stored.payload == {"colour": "red"}
    assert "raise OSError" in stored.traceback
    assert not await outbox_would_send(resources)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "unable to deserialize job"),
        (b'{"f": "Paint", "a": [{"colour": 1}], "k": {}, "t": null, "et": 1}', "InvalidPayload"),
        (b'{"f": "Sculpt", "a": [{}], "k": {}, "t": null, "et": 1}', "'Sculpt' not found"),
    ],
    ids=["broken", "wrong type", "unknown job"],
)
async def test_garbage_becomes_a_dead_letter_with_its_reason(
    resources: Resources, queues: QueuePools, work_off: WorkOff, payload: bytes, reason: str
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    garbage = uuid4()
    await queues[BASE].set(f"arq:job:{garbage}", payload)
    await queues[BASE].zadd(BASE.key, {str(garbage): 1})
    await work_off(painting(paint))

    letter = await row(resources, garbage)
    assert letter is not None
    assert letter.state is JobState.FAILED
    assert letter.error is not None
    assert reason in letter.error


async def test_an_id_that_was_never_ours_is_a_dead_letter_too(
    resources: Resources, queues: QueuePools, work_off: WorkOff
) -> None:
    async def paint(_: JobContext, __: Paint) -> None: ...

    await queues[BASE].zadd(BASE.key, {"who": 1})
    await work_off(painting(paint))

    assert await queues[BASE].zcard(BASE.key) == 0
    async with resources.unit_of_work() as uow:
        letter = (await uow.session.execute(select(outbox.outbox))).one()
    assert letter.payload["foreign_id"] == "who"
    assert letter.error == "JobExecutionFailed: job expired"


async def outbox_would_send(resources: Resources) -> bool:
    async with resources.unit_of_work() as uow:
        await outbox.check_now(uow.session, BASE)
        return bool(await outbox.take_overdue(uow.session, BASE))


def test_a_handler_on_the_wrong_queue_is_refused_and_both_are_named() -> None:
    async def welcome(ctx: JobContext, job: SendWelcomeEmail) -> None: ...

    with pytest.raises(TypeError, match=r"welcome.*SendWelcomeEmail.*'email'.*'base'"):
        worker_settings(BASE, handlers=[welcome])


def test_a_handler_without_a_job_is_refused() -> None:
    async def lost(ctx: JobContext, job: str) -> None: ...

    with pytest.raises(TypeError, match=r"lost must be: async def"):
        worker_settings(EMAIL, handlers=[lost])


@pytest.mark.parametrize("attempt", [1, 2, 5, 100])
def test_pauses_double_and_have_an_upper_bound(attempt: int) -> None:
    pauses = [backoff(attempt, first=2) for _ in range(1000)]
    ceiling = min(LONGEST, 2 * 2 ** (attempt - 1))

    assert 0 <= min(pauses) < ceiling * 0.1
    assert ceiling * 0.9 < max(pauses) <= ceiling
