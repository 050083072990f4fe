"""Reading the state of a job from a Redis in which anything may be stored."""

import time
from uuid import UUID, uuid4

import pytest

from app.core.broker.keys import QueueKeys
from app.core.broker.serializer import to_json
from app.core.job_store.live import UNREADABLE, read_job
from app.core.job_store.record import JobRecord, JobState
from app.core.queue import BASE, EMAIL, QueuePools
from app.schemas.jobs import BuildSignupReport

KEYS = QueueKeys(BASE)

READABLE: dict[str, object] = {
    "t": None,
    "f": "BuildSignupReport",
    "a": [{"days": 1}],
    "k": {},
    "et": 1_700_000_000_000,
}


async def read(queues: QueuePools, job_id: UUID) -> JobRecord | None:
    return await read_job(queues[BASE], BASE, job_id)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x04K\x01.",
        b"null",
        b"[]",
        b"{}",
        to_json(READABLE | {"f": ["x"]}),
        to_json(READABLE | {"et": "never"}),
        to_json(READABLE | {"et": 10**30}),
        to_json(READABLE | {"et": -(10**18)}),
    ],
)
async def test_a_waiting_job_with_an_unreadable_payload_is_shown(
    queues: QueuePools, payload: bytes
) -> None:
    job_id = uuid4()
    await queues[BASE].set(KEYS.job(job_id), payload)
    await queues[BASE].zadd(KEYS.queue, {str(job_id): time.time() * 1000 - 1})

    record = await read(queues, job_id)

    assert record is not None
    assert (record.name, record.state) == (UNREADABLE, JobState.QUEUED)


@pytest.mark.parametrize("score", [float("inf"), float("-inf"), 1e300])
async def test_a_job_that_is_due_at_an_impossible_time_is_shown(
    queues: QueuePools, score: float
) -> None:
    job_id = await queues.send(BuildSignupReport())
    await queues[BASE].zadd(KEYS.queue, {str(job_id): score})

    record = await read(queues, job_id)

    assert record is not None
    assert record.scheduled_for is None


async def test_a_job_with_unreadable_details_is_shown_without_them(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport())
    async with queues[BASE].pipeline() as pipe:
        pipe.set(KEYS.retry(job_id), "many")
        pipe.set(KEYS.in_progress(job_id), "worker/yesterday")
        pipe.hset(KEYS.progress(job_id), "progress", "nan")
        pipe.lpush(KEYS.result(job_id), "not a string")
        await pipe.execute()

    record = await read(queues, job_id)

    assert record is not None
    assert (record.state, record.attempt) == (JobState.RUNNING, 1)
    assert (record.progress, record.started_at) == (None, None)


@pytest.mark.parametrize("result", [b"\x80\x04K\x01.", b"{}", to_json(READABLE | {"s": "perhaps"})])
async def test_an_unreadable_result_counts_as_missing(queues: QueuePools, result: bytes) -> None:
    job_id = uuid4()
    await queues[BASE].set(KEYS.result(job_id), result)

    assert await read(queues, job_id) is None


async def test_a_job_on_a_shared_redis_database_belongs_to_one_queue(queues: QueuePools) -> None:
    """If a server has only one database, both queues use it."""
    shared = queues[BASE]
    waiting = await queues.send(BuildSignupReport())
    ended = uuid4()
    now = round(time.time() * 1000)
    result = READABLE | {"t": 1, "s": True, "r": None, "st": now, "ft": now, "q": KEYS.queue}
    await shared.set(KEYS.result(ended), to_json(result))

    for job_id, state in ((waiting, JobState.QUEUED), (ended, JobState.SUCCEEDED)):
        record = await read_job(shared, BASE, job_id)
        assert record is not None
        assert (record.queue, record.state) == ("base", state)
        assert await read_job(shared, EMAIL, job_id) is None
