import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from app.core.config import Settings
from app.core.job_record import JobRecord, JobState
from app.core.job_store import find_job
from app.core.queue import BASE, EMAIL, Job, QueuePools, Retry
from app.core.resources import Resources
from app.core.worker.backoff import LONGEST, backoff
from app.core.worker.settings import WorkerSettings, worker_settings
from app.schemas.jobs import SendWelcomeEmail
from app.workers.context import JobContext
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

    assert (record.state, record.error) == (JobState.FAILED, "unable to serialize result")


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
