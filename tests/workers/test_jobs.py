from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest
import structlog

from app.core.job_store.record import JobState
from app.core.queue import EMAIL, QueuePools
from app.core.resources import Resources
from app.core.worker.email_settings import WorkerSettings
from app.core.worker.execution.backoff import MAX_DELAY
from app.schemas.jobs import SendTestEmail, SendWelcomeEmail
from app.workers.context import JobContext
from app.workers.jobs import send_email
from dev.mail_catcher import MailCatcher
from tests.records import find_job
from tests.support.accounts import create_user
from tests.support.workers import RunWorker, make_due

ADA = {"email": "ada@example.com", "password": "correct horse", "full_name": "Ada <b>Lovelace"}


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker and its outbox relay can see."""
    return committing_resources


async def sign_up(client: httpx2.AsyncClient) -> UUID:
    return UUID((await client.post("/api/v1/users/signup", json=ADA)).json()["id"])


async def state_of(queues: QueuePools, job_id: UUID) -> tuple[JobState, int] | None:
    record = await find_job(queues, job_id)
    return (record.state, record.attempt) if record else None


async def test_a_new_user_gets_a_welcome_email(
    client: httpx2.AsyncClient, run_worker: RunWorker, mail_catcher: MailCatcher, queues: QueuePools
) -> None:
    await sign_up(client)
    [job] = await queues[EMAIL].queued_jobs()
    await run_worker(WorkerSettings)

    email = await mail_catcher.anext()
    assert email.to == ["ada@example.com"]
    assert email.message_id == f"<{job.job_id}@example.com>"
    assert email.text is not None
    assert email.html is not None
    assert "https://service.example.com/" in email.text
    for body in (email.text, email.html):
        assert "Hello," in body
        assert "Lovelace" not in body, "a stranger could send a text of their own to this address"


async def test_a_welcome_email_is_tried_again_when_the_mail_server_is_busy(
    client: httpx2.AsyncClient, run_worker: RunWorker, mail_catcher: MailCatcher, queues: QueuePools
) -> None:
    await sign_up(client)
    [job] = await queues[EMAIL].queued_jobs()
    job_id = UUID(job.job_id)
    mail_catcher.refuse_next(451)

    await run_worker(WorkerSettings, jobs=1)
    # The pause is random and may already be over.
    assert await state_of(queues, job_id) in {(JobState.SCHEDULED, 1), (JobState.QUEUED, 1)}

    await make_due(queues, EMAIL)
    await run_worker(WorkerSettings)
    assert await state_of(queues, job_id) == (JobState.SUCCEEDED, 2)
    await mail_catcher.anext()


async def test_a_welcome_email_that_is_rejected_for_good_is_not_tried_again(
    client: httpx2.AsyncClient,
    resources: Resources,
    run_worker: RunWorker,
    mail_catcher: MailCatcher,
    queues: QueuePools,
) -> None:
    await sign_up(client)
    [job] = await queues[EMAIL].queued_jobs()
    mail_catcher.refuse_next(550, "no such mailbox")
    await run_worker(WorkerSettings)

    root = await create_user(resources, "root", superuser=True)
    answer = (await client.get(f"/api/v1/jobs/{job.job_id}", headers=root.headers)).json()
    assert (answer["state"], answer["attempt"]) == ("failed", 1)
    assert "no such mailbox" in answer["error"]


async def test_a_deleted_user_gets_no_welcome_email(resources: Resources) -> None:
    ctx = JobContext(job_id=uuid4(), attempt=1, queue=EMAIL, resources=resources)
    with structlog.testing.capture_logs() as lines:
        await send_email(ctx, SendWelcomeEmail(user_id=uuid4()))

    assert [line["event"] for line in lines] == ["email.skipped"]


async def test_one_request_id_goes_from_the_request_to_the_jobs_log_lines(
    client: httpx2.AsyncClient, run_worker: RunWorker
) -> None:
    response = await client.post("/api/v1/users/signup", json=ADA)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as captured:
        await run_worker(WorkerSettings)

    lines = [line for line in captured if "job" in line]
    assert [line["event"] for line in lines] == ["job.started", "job.succeeded"]
    assert {line["request_id"] for line in lines} == {response.headers["X-Request-ID"]}


async def test_no_log_line_shows_a_jobs_arguments(
    client: httpx2.AsyncClient,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", logger="arq.worker")
    user_id = await sign_up(client)
    await run_worker(WorkerSettings)

    lines = capsys.readouterr().err + caplog.text
    assert "SendWelcomeEmail" in lines
    assert str(user_id) not in lines


def test_an_email_is_retried_for_longer_than_a_weekend() -> None:
    job = SendTestEmail
    ceilings = [min(MAX_DELAY, job.backoff * 2**retry) for retry in range(job.max_tries - 1)]

    assert timedelta(seconds=sum(ceilings) / 2) > timedelta(days=3)
