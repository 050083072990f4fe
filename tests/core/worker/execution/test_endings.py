"""However a handler ends, only its own job has a failed try."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core.broker.errors import MAX_TRACEBACK
from app.core.config import Settings
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import BASE, Job, QueuePools
from app.core.resources import Resources
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.records import find_job
from tests.support.workers import RunWorker


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker can see."""
    return committing_resources


class Paint(Job, queue=BASE, max_tries=2, timeout=20, backoff=0.001): ...


class Write(Job, queue=BASE, max_tries=1): ...


Handler = Callable[[], Awaitable[object]]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no message")


class FatallyUnprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Wordy(Exception):
    def __init__(self) -> None:
        super().__init__("x" * 10_000_000)


class Unstorable(Exception):
    def __init__(self) -> None:
        super().__init__("a\x00b\ud800c")


async def exit_process() -> None:
    sys.exit(3)


async def interrupt() -> None:
    raise KeyboardInterrupt


async def close_generator() -> None:
    raise GeneratorExit


async def recurse() -> None:
    def deeper() -> None:
        deeper()

    deeper()


async def run_out_of_memory() -> None:
    raise MemoryError


async def stop_iterating() -> None:
    raise StopIteration


async def cancel_itself() -> None:
    raise asyncio.CancelledError


async def await_a_cancelled_task() -> None:
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


async def fail_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(run_out_of_memory())


async def fail_unprintably() -> None:
    raise Unprintable


async def fail_fatally_unprintably() -> None:
    raise FatallyUnprintable


async def fail_wordily() -> None:
    raise Wordy


async def fail_unstorably() -> None:
    raise Unstorable


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (exit_process, "SystemExit: 3"),
        (interrupt, "KeyboardInterrupt"),
        (close_generator, "GeneratorExit"),
        (recurse, "RecursionError: maximum recursion depth exceeded"),
        (run_out_of_memory, "MemoryError"),
        (stop_iterating, "RuntimeError: coroutine raised StopIteration"),
        (cancel_itself, "AwaitedCancellation: the handler awaited a task"),
        (await_a_cancelled_task, "AwaitedCancellation: the handler awaited a task"),
        (fail_in_a_group, "ExceptionGroup: unhandled errors in a TaskGroup"),
        (fail_unprintably, "Unprintable: <no message: __str__ raised ValueError>"),
        (fail_fatally_unprintably, "FatallyUnprintable: <no message: __str__ raised SystemExit>"),
        (fail_wordily, "Wordy: xxx"),
        (fail_unstorably, "Unstorable: ab?c"),
    ],
)
async def test_each_way_to_end_is_a_failed_try_with_a_bounded_report(
    resources: Resources, run_worker: RunWorker, end: Handler, error: str
) -> None:
    tries: list[int] = []
    written: list[UUID] = []

    async def paint(ctx: JobContext, job: Paint) -> None:  # noqa: ARG001
        tries.append(ctx.attempt)
        await end()

    async def write(ctx: JobContext, job: Write) -> None:  # noqa: ARG001
        written.append(ctx.job_id)

    async with resources.unit_of_work() as uow:
        painting, writing = uow.enqueue(Paint()), uow.enqueue(Write())
    with capture_logs() as lines:
        await run_worker(
            worker_settings(BASE, handlers=[paint, write], settings=Settings(_env_file=None))
        )

    assert tries == [1, 2]
    assert written == [writing]
    record = await record_of(resources.queues, painting)
    assert record.error is not None
    assert (record.state, record.error[: len(error)]) == (JobState.FAILED, error)
    assert max(len(str(line)) for line in lines) < MAX_TRACEBACK + 2_000
    [failed] = [line for line in lines if line["event"] == "job.failed"]
    assert end.__name__ in failed["exception"]


async def record_of(queues: QueuePools, job_id: UUID) -> JobRecord:
    record = await find_job(queues, job_id)
    assert record is not None
    return record
