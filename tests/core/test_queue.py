from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import ValidationError

from app.core.job_record import JobState
from app.core.job_store import find_job
from app.core.queue import BASE, EMAIL, QUEUES, Job, PayloadTooLarge, QueuePools, address
from app.schemas.jobs import BuildSignupReport, SendWelcomeEmail


def test_each_queue_has_a_redis_database_of_its_own() -> None:
    assert (BASE.redis_db, EMAIL.redis_db) == (1, 2)
    assert len({queue.redis_db for queue in QUEUES}) == len(QUEUES)


def test_a_job_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValidationError, match="days"):
        BuildSignupReport(days=0)


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(BuildSignupReport(days=1), "days", 2)  # noqa: B010  mypy knows it, too


def test_a_job_says_how_it_is_to_be_run() -> None:
    class Paint(Job, queue=BASE, max_tries=2, timeout=7, backoff=0.5, final=(KeyError,)):
        colour: str

    assert (Paint.queue, Paint.max_tries, Paint.timeout) == (BASE, 2, 7)
    assert (Paint.backoff, Paint.final) == (0.5, (KeyError,))


async def test_a_job_waits_on_its_queue_alone(queues: QueuePools) -> None:
    await queues.send(SendWelcomeEmail(user_id=uuid4()))

    assert len(await queues[EMAIL].queued_jobs()) == 1
    assert await queues[BASE].queued_jobs() == []


async def test_a_job_crosses_redis_as_json(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport(days=3))

    stored = await queues[BASE].get(f"arq:job:{job_id}")
    assert stored is not None
    assert b'"a":[{"days":3}]' in stored


async def test_an_id_is_sent_once(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport(days=3))
    await queues.send(BuildSignupReport(days=4), job_id=job_id)

    [job] = await queues[BASE].queued_jobs()
    assert job.args[0] == {"days": 3}


@pytest.mark.parametrize(
    "when",
    [{"delay": timedelta(days=9)}, {"at": datetime.now(UTC) + timedelta(days=9)}],
    ids=["delay", "at"],
)
async def test_a_job_can_wait_for_its_time(queues: QueuePools, when: dict[str, object]) -> None:
    job_id = await queues.send(BuildSignupReport(), **when)  # type: ignore[arg-type]

    record = await find_job(queues, job_id)
    assert record is not None
    assert record.state is JobState.SCHEDULED
    assert record.scheduled_for is not None
    assert timedelta(days=8) < record.scheduled_for - record.enqueued_at < timedelta(days=10)


async def test_a_job_outlasts_a_long_backlog(queues: QueuePools) -> None:
    job_id = await queues.send(BuildSignupReport())

    never = -1
    assert await queues[BASE].pttl(f"arq:job:{job_id}") == never


async def test_arguments_are_hidden_from_log_lines(queues: QueuePools) -> None:
    await queues.send(SendWelcomeEmail(user_id=uuid4()))

    [job] = await queues[EMAIL].queued_jobs()
    assert repr(job.args) == "[…]"


def test_a_job_that_carries_too_much_is_refused_with_what_to_do_instead() -> None:
    class Archive(Job, queue=BASE):
        text: str

    address(Archive(text="x" * 60_000))
    with pytest.raises(PayloadTooLarge, match=r"Archive has 70011 bytes .* carry their id"):
        address(Archive(text="x" * 70_000))
