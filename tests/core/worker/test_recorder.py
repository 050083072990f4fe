"""The statistics of a worker are cheap, bounded, and available to the console."""

import time
from typing import cast
from uuid import uuid4

import pytest

from app.core import control
from app.core.broker.client import QueueRedis
from app.core.broker.keys import QueueKeys
from app.core.job_store.activity import Activity, parse_counts
from app.core.job_store.tries import MAX_RECORDED, TryOutcome, parse_try
from app.core.queue import BASE, Job, QueuePools
from app.core.redis_connections.multiplexed import Command
from app.core.resources import Resources
from app.core.worker.execution.observers import Observers, TryReport
from app.core.worker.recorder import OTHER, Recorder, recording
from app.core.worker.settings import worker_settings
from app.workers.context import JobContext
from tests.support.redis import counting_round_trips
from tests.support.workers import RunWorker

KEYS = QueueKeys(BASE)


class Paint(Job, queue=BASE, max_tries=2, backoff=0.001):
    color: str = "red"


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker can see."""
    return committing_resources


@pytest.fixture
def redis(queues: QueuePools) -> QueueRedis:
    return queues[BASE]


def report(name: str = "Paint", outcome: TryOutcome = "succeeded", number: int = 1) -> TryReport:
    return TryReport(
        queue="base",
        name=name,
        job_id=uuid4(),
        attempt=number,
        outcome=outcome,
        pickup_seconds=0.004,
        duration_seconds=0.3,
    )


async def activity_of(redis: QueueRedis, name: str = "") -> Activity:
    """Return the tries of this minute and of the one before, which may just have ended."""
    now = int(time.time() // 60)
    read: list[Command] = [("HGETALL", KEYS.activity(each, name)) for each in (now - 1, now)]
    return Activity.of(map(parse_counts, await redis.multiplexed.execute(*read)))


async def test_a_worker_counts_its_tries_by_class_and_by_outcome(
    resources: Resources, run_worker: RunWorker
) -> None:
    async def paint(ctx: JobContext, job: Paint) -> None:
        if job.color == "blue" or ctx.attempt == 1:
            raise LookupError

    for color in ("red", "blue"):
        await resources.queues.send(Paint(color=color))
    await run_worker(worker_settings(BASE, handlers=[paint], settings=resources.settings))

    for name in ("", "Paint"):
        counted = await activity_of(resources.queues[BASE], name)
        assert (counted.succeeded, counted.retried, counted.failed) == (1, 2, 1)
        assert counted.pickup.total == counted.duration.total == 4
    queue = await control.queue_overview(resources.reader, resources.queues, "base")
    hour = queue.last_hour
    assert (hour.succeeded, hour.failed, hour.retried, sum(queue.ended)) == (1, 1, 2, 2)


async def test_five_hundred_jobs_cost_one_round_trip(redis: QueueRedis) -> None:
    recorder = Recorder(redis, ["Paint"])
    recorder.add(report())
    await recorder.close()  # Redis learns the script
    for _ in range(499):
        recorder.add(report())

    async with counting_round_trips(redis) as round_trips:
        await recorder.close()

    assert len(round_trips) == 1
    assert (await activity_of(redis)).succeeded == 500


async def test_a_worker_without_jobs_sends_nothing(redis: QueueRedis) -> None:
    observers = Observers()
    async with (
        counting_round_trips(redis) as round_trips,
        recording(redis, observers, ["Paint"]),
    ):
        assert observers

    assert round_trips == []
    assert not await redis.dbsize()


async def test_counts_are_forgotten_after_a_day(redis: QueueRedis) -> None:
    recorder = Recorder(redis, ["Paint"])
    recorder.add(report())
    await recorder.close()

    keys = await redis.keys(f"{KEYS.activity_prefix}*")
    assert len(keys) == 2
    for key in keys:
        assert 86_400 < await redis.ttl(key) <= 90_000


async def test_only_the_last_thousand_jobs_and_failed_tries_are_remembered(
    redis: QueueRedis,
) -> None:
    recorder = Recorder(redis, ["Paint"])
    for number in range(1, MAX_RECORDED + 101):
        recorder.add(report(number=number))
        recorder.add(report(outcome="retried", number=number))
    await recorder.close()
    recorder.add(report(number=MAX_RECORDED + 101))
    await recorder.close()

    for key in (KEYS.finished, KEYS.failures):
        assert await redis.zcard(key) == MAX_RECORDED
    [stored] = cast("list[bytes]", await redis.zrange(KEYS.finished, -1, -1))
    newest = parse_try("base", stored)
    assert newest is not None
    assert (newest.attempt, newest.outcome, newest.duration) == (
        MAX_RECORDED + 101,
        "succeeded",
        0.3,
    )


@pytest.mark.parametrize(("more", "trace_id"), [("", None), (', "' + "ab" * 16 + '"', "ab" * 16)])
def test_a_try_that_an_earlier_release_recorded_can_be_read(
    more: str, trace_id: str | None
) -> None:
    fields = f'"{uuid4()}", "Paint", 1, "failed", 1, 0.3, null, "OSError", "request 1"{more}'
    read = parse_try("base", f"[{fields}]".encode())

    assert read is not None
    assert (read.request_id, read.trace_id) == ("request 1", trace_id)


async def test_jobs_of_unknown_classes_are_counted_under_one_name(redis: QueueRedis) -> None:
    """A writer to Redis could invent names, and each would take memory for a day."""
    recorder = Recorder(redis, ["Paint"])
    for number in range(20):
        recorder.add(report(name=f"Invented{number}", outcome="failed"))
    await recorder.close()

    assert len(await redis.keys(f"{KEYS.activity_prefix}*")) == 2
    assert (await activity_of(redis, OTHER)).failed == 20
