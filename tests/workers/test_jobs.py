from uuid import UUID, uuid4

import httpx2
import pytest
import structlog

from app.core.job_record import JobState
from app.core.job_store import find_job
from app.core.queue import EMAIL, QueuePools
from app.core.resources import Resources
from app.core.worker.email_settings import WorkerSettings
from app.dev.mail_catcher import MailCatcher
from app.schemas.jobs import SendWelcomeEmail
from app.workers.context import JobContext
from app.workers.jobs import send_welcome_email
from tests.accounts import someone
from tests.conftest import WorkOff, make_due

ADA = {"email": "ada@example.com", "password": "correct horse", "full_name": "Ada <b>Lovelace"}


@pytest.fixture
def resources(committing: Resources) -> Resources:
    """Commits that the worker and its sweeper see on connections of their own."""
    return committing


async def sign_up(client: httpx2.AsyncClient) -> UUID:
    return UUID((await client.post("/api/v1/users/signup", json=ADA)).json()["id"])


async def state_of(queues: QueuePools, job_id: UUID) -> tuple[JobState, int] | None:
    record = await find_job(queues, job_id)
    return (record.state, record.attempt) if record else None


async def test_who_signs_up_is_welcomed(
    client: httpx2.AsyncClient, work_off: WorkOff, mails: MailCatcher, queues: QueuePools
) -> None:
    await sign_up(client)
    [job] = await queues[EMAIL].queued_jobs()
    await work_off(WorkerSettings)

    mail = await mails.anext()
    assert mail.to == ["ada@example.com"]
    assert mail.message_id == f"<{job.job_id}@example.com>"
    assert mail.text is not None
    assert mail.html is not None
    assert "Hello Ada <b>Lovelace," in mail.text
    assert "https://service.example.com/" in mail.text
    assert "Hello Ada &lt;b&gt;Lovelace," in mail.html


async def test_a_welcome_is_tried_again_when_the_mail_server_is_busy(
    client: httpx2.AsyncClient, work_off: WorkOff, mails: MailCatcher, queues: QueuePools
) -> None:
    await sign_up(client)
    [job] = await queues[EMAIL].queued_jobs()
    job_id = UUID(job.job_id)
    mails.refuse_next(451)

    await work_off(WorkerSettings, jobs=1)
    assert await state_of(queues, job_id) == (JobState.SCHEDULED, 1)

    await make_due(queues, EMAIL)
    await work_off(WorkerSettings)
    assert await state_of(queues, job_id) == (JobState.SUCCEEDED, 2)
    await mails.anext()


async def test_a_welcome_that_is_refused_for_good_is_not_tried_again(
    client: httpx2.AsyncClient,
    resources: Resources,
    work_off: WorkOff,
    mails: MailCatcher,
    queues: QueuePools,
) -> None:
    await sign_up(client)
    [job] = await queues[EMAIL].queued_jobs()
    mails.refuse_next(550, "no such mailbox")
    await work_off(WorkerSettings)

    root = await someone(resources, "root", superuser=True)
    answer = (await client.get(f"/api/v1/jobs/{job.job_id}", headers=root.headers)).json()
    assert (answer["state"], answer["attempt"]) == ("failed", 1)
    assert "no such mailbox" in answer["error"]


async def test_a_user_who_has_gone_is_not_welcomed(resources: Resources) -> None:
    ctx = JobContext(job_id=uuid4(), attempt=1, queue=EMAIL, resources=resources)
    with structlog.testing.capture_logs() as lines:
        await send_welcome_email(ctx, SendWelcomeEmail(user_id=uuid4()))

    assert [line["event"] for line in lines] == ["mail.skipped"]


async def test_one_request_id_goes_from_the_request_to_the_jobs_log_lines(
    client: httpx2.AsyncClient, work_off: WorkOff, caplog: pytest.LogCaptureFixture
) -> None:
    await client.post("/api/v1/users/signup", json=ADA, headers={"X-Request-ID": "order-66"})
    await work_off(WorkerSettings)

    lines = [r.msg for r in caplog.records if isinstance(r.msg, dict) and "job" in r.msg]
    assert [line["event"] for line in lines] == ["job.started", "job.succeeded"]
    assert {line["request_id"] for line in lines} == {"order-66"}


async def test_no_log_line_shows_a_jobs_arguments(
    client: httpx2.AsyncClient, work_off: WorkOff, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="arq.worker")
    user_id = await sign_up(client)
    await work_off(WorkerSettings)

    assert "SendWelcomeEmail" in caplog.text
    assert str(user_id) not in caplog.text
