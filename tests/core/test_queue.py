import time
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from app.core.broker.keys import QueueKeys
from app.core.broker.message import decode
from app.core.job_store.record import JobState
from app.core.queue import BASE, EMAIL, QUEUES, Job, QueuePools, to_message
from app.schemas.jobs import BuildSignupReport, SendWelcomeEmail
from tests.records import find_job

KEYS = QueueKeys(BASE)


def test_each_queue_has_its_own_redis_database() -> None:
    assert (BASE.redis_db, EMAIL.redis_db) == (1, 2)
    assert len({queue.redis_db for queue in QUEUES}) == len(QUEUES)


def test_a_job_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValidationError, match="days"):
        BuildSignupReport(days=0)


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(BuildSignupReport(days=1), "days", 2)  # noqa: B010  mypy knows it, too


def test_the_class_of_a_job_says_how_it_is_run() -> None:
    class Paint(Job, queue=BASE, max_tries=2, timeout=7, backoff=0.5, final=(KeyError,)):
        color: str

    assert (Paint.queue, Paint.max_tries, Paint.timeout) == (BASE, 2, 7)
    assert (Paint.backoff, Paint.final) == (0.5, (KeyError,))


async def test_a_job_waits_on_its_own_queue_only(queues: QueuePools) -> None:
    await queues.send(SendWelcomeEmail(user_id=uuid4()))

    assert len(await queues[EMAIL].queued_jobs()) == 1
    assert await queues[BASE].queued_jobs() == []


async def test_a_job_crosses_redis_as_json(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport(days=3))

    stored = await queues[BASE].get(KEYS.job(job_id))
    assert stored is not None
    assert b'"a":[{"days":3}]' in stored


async def test_many_jobs_are_sent_to_their_queues_in_order(queues: QueuePools) -> None:
    reports = [BuildSignupReport(days=1 + number % 366) for number in range(1_200)]
    email = SendWelcomeEmail(user_id=uuid4())

    first, *job_ids = await queues.send_many([email, *reports])

    assert await queues[EMAIL].zrange(QueueKeys(EMAIL).queue, 0, -1) == [str(first).encode()]
    waiting = cast("list[bytes]", await queues[BASE].zrange(KEYS.queue, 0, -1))
    assert {UUID(each.decode()) for each in waiting} == {*job_ids}
    assert len(job_ids) == len(reports)
    last = await queues[BASE].get(KEYS.job(job_ids[-1]))
    assert isinstance(last, bytes)
    assert decode(last).payload == reports[-1].model_dump()


async def test_many_jobs_can_be_scheduled(queues: QueuePools) -> None:
    await queues.send_many([BuildSignupReport()], delay=timedelta(hours=1))

    [(_, due_ms)] = cast(
        "list[tuple[bytes, float]]",
        await queues[BASE].zrange(KEYS.queue, 0, -1, withscores=True),
    )
    assert due_ms / 1000 == pytest.approx(time.time() + 3600, abs=60)


async def test_a_queue_accepts_an_id_once(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport(days=3))
    await queues.send(BuildSignupReport(days=4), job_id=job_id)

    [job] = await queues[BASE].queued_jobs()
    assert job.args[0] == {"days": 3}


@pytest.mark.parametrize(
    "when",
    [{"delay": timedelta(days=9)}, {"at": datetime.now(UTC) + timedelta(days=9)}],
    ids=["delay", "at"],
)
async def test_a_job_can_be_scheduled(queues: QueuePools, when: dict[str, object]) -> None:
    job_id = await queues.send(BuildSignupReport(), **when)  # type: ignore[arg-type]

    record = await find_job(queues, job_id)
    assert record is not None
    assert record.state is JobState.SCHEDULED
    assert record.scheduled_for is not None
    assert timedelta(days=8) < record.scheduled_for - record.enqueued_at < timedelta(days=10)


async def test_a_job_does_not_expire_in_a_long_backlog(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport())

    never = -1
    assert await queues[BASE].pttl(KEYS.job(job_id)) == never


async def test_arguments_are_hidden_from_log_lines(queues: QueuePools) -> None:
    await queues.send(SendWelcomeEmail(user_id=uuid4()))

    [job] = await queues[EMAIL].queued_jobs()
    assert repr(job.args) == "[…]"


def test_a_job_that_is_too_large_is_rejected_with_advice() -> None:
    class Archive(Job, queue=BASE):
        text: str

    to_message(Archive(text="x" * 60_000))
    with pytest.raises(match=r"Archive has 70011 bytes .* pass its id to the job"):
        to_message(Archive(text="x" * 70_000))
