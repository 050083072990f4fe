"""A trace follows a request through all processes."""

from dataclasses import replace
from signal import SIGKILL
from typing import cast
from uuid import UUID

import pytest
from arq.utils import timestamp_ms

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.queue import BASE, EMAIL, QueuePools
from app.core.redis import open_pools
from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from app.core.worker.cron.schedule import cron
from app.core.worker.cron.scheduler import running_crons
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from app.core.worker.outbox_relay import Relay
from app.schemas.jobs import BuildSignupReport, SendTestEmail
from dev.mail_catcher import MailCatcher
from dev.trace_collector import TraceCollector
from tests.support.ports import CLOSED_PORT
from tests.support.processes import run_process
from tests.support.service import serve
from tests.support.smtp_server import SILENCE, smtp_server
from tests.support.traces import named, parents, traced_resources, traced_settings
from tests.support.waiting import wait_until
from tests.support.workers import make_due, run_burst

SIGN_UP = "POST /api/v1/users/signup"
EVENTS = {"request.finished", "worker.started", "job.started", "job.succeeded"}
ADA = {"email": "ada@example.com", "password": "correct-horse-battery"}


async def sign_up(resources: Resources) -> None:
    async with serve(resources) as client:
        response = await client.post("/api/v1/users/signup", json=ADA)
        assert response.status_code == 201


async def end_lease(queues: QueuePools, job_id: str) -> None:
    """End the lease of a job whose worker does not extend it."""
    keys, past = QueueKeys(EMAIL), timestamp_ms() - 1
    await queues[EMAIL].delete(keys.in_progress(job_id))
    await queues[EMAIL].zadd(keys.queue, {job_id: past})
    await queues[EMAIL].zadd(keys.running, {job_id: past})


async def test_a_sign_up_is_one_trace_from_the_request_to_the_email(
    resources: Resources, collector: TraceCollector, mail_catcher: MailCatcher
) -> None:
    async with traced_resources(resources, collector) as traced:
        await sign_up(traced)
        await run_burst(EmailWorker, traced, None, ())
    await mail_catcher.anext()

    spans = collector.spans
    assert len({span.trace_id for span in spans}) == 1
    above = parents(spans)
    assert above[SIGN_UP] == ""
    assert above["INSERT users"] == SIGN_UP
    assert above["send email"] == SIGN_UP
    assert above["process email"] == "send email"
    assert above["smtp send"] == "process email"
    kinds = {name: named(spans, name).kind for name in (SIGN_UP, "send email", "process email")}
    assert kinds == {SIGN_UP: "server", "send email": "producer", "process email": "consumer"}
    assert not [span.name for span in spans if span.failed]


async def test_a_job_names_its_operation_queue_and_id_as_the_conventions_ask(
    resources: Resources, collector: TraceCollector
) -> None:
    async with traced_resources(resources, collector) as traced:
        await sign_up(traced)
        await run_burst(EmailWorker, traced, None, ())

    sent, processed = (named(collector.spans, f"{each} email") for each in ("send", "process"))
    for span, operation in ((sent, "send"), (processed, "process")):
        assert span.attributes["messaging.system"] == "arq"
        assert span.attributes["messaging.destination.name"] == "email"
        assert span.attributes["messaging.operation.name"] == operation
        assert span.attributes["messaging.operation.type"] == operation
    message_id = "messaging.message.id"
    assert sent.attributes[message_id] == processed.attributes[message_id]
    assert processed.attributes["job.outcome"] == "succeeded"


async def test_operators_find_the_trace_of_a_job(
    resources: Resources, collector: TraceCollector
) -> None:
    async with traced_resources(resources, collector) as traced:
        await sign_up(traced)
        [waiting] = await traced.queues[EMAIL].queued_jobs()
        job_id = UUID(waiting.job_id)
        details = await control.job_details(traced.sessions, traced.queues, job_id)

    assert details.trace_id == named(collector.spans, SIGN_UP).trace_id


async def test_each_try_of_a_job_belongs_to_the_trace_of_its_request(
    resources: Resources, collector: TraceCollector, mail_catcher: MailCatcher
) -> None:
    mail_catcher.refuse_next()
    async with traced_resources(resources, collector) as traced:
        await sign_up(traced)
        await run_burst(EmailWorker, traced, 1, ())
        await make_due(traced.queues, EMAIL)
        await run_burst(EmailWorker, traced, 1, ())
    await mail_catcher.anext()

    spans = collector.spans
    assert len({span.trace_id for span in spans}) == 1
    tries = [span for span in spans if span.name == "process email"]
    assert [each.parent_id for each in tries] == [named(spans, "send email").span_id] * 2
    outcomes = [(each.attributes["job.attempt"], each.attributes["job.outcome"]) for each in tries]
    assert outcomes == [(1, "retried"), (2, "succeeded")]
    assert [each.failed for each in tries] == [True, False]
    assert tries[0].attributes["error.type"] == "SMTPDataError"


async def test_the_trace_continues_after_a_worker_was_killed(
    resources: Resources, collector: TraceCollector, mail_catcher: MailCatcher
) -> None:
    async with (
        smtp_server(MAIL=SILENCE) as silent,
        traced_resources(resources, collector) as traced,
    ):
        await sign_up(traced)
        server = {"smtp_host": "127.0.0.1", "smtp_port": silent.port}
        hanging = traced_settings(resources.settings, collector, **server)

        async def is_sending() -> bool:
            return any(line.startswith("MAIL") for line in silent.lines)

        async with run_process(hanging, "run_email_worker.py") as worker:
            await wait_until(is_sending)
            worker.signal(SIGKILL)
            await worker.wait_for_exit()
        [waiting] = await traced.queues[EMAIL].queued_jobs()
        await end_lease(traced.queues, cast("str", waiting.job_id))
        await run_burst(EmailWorker, traced, 1, ())
    await mail_catcher.anext()

    spans = collector.spans
    assert len({span.trace_id for span in spans}) == 1
    again = named(spans, "process email")
    assert again.parent_id == named(spans, "send email").span_id
    assert again.attributes["job.crashes"] == 1


async def test_a_job_that_the_outbox_relay_sends_stays_in_its_trace(
    resources: Resources, collector: TraceCollector, mail_catcher: MailCatcher
) -> None:
    async with traced_resources(resources, collector) as traced:
        down = traced.settings.model_copy(
            update={"queue_redis_urls": {}, "redis_url": f"redis://127.0.0.1:{CLOSED_PORT}"}
        )
        async with open_pools(down) as unreachable:
            await sign_up(replace(traced, queues=unreachable))
        relay = Relay(EMAIL, traced)

        async def is_relayed() -> bool:
            await relay.poll()
            return bool(await traced.queues[EMAIL].queued_jobs())

        await wait_until(is_relayed)
        await run_burst(EmailWorker, traced, 1, ())
    await mail_catcher.anext()

    spans = collector.spans
    assert len({span.trace_id for span in spans}) == 1
    first, relayed = sorted(
        (span for span in spans if span.name == "send email"), key=lambda span: span.began
    )
    assert first.failed
    assert relayed.attributes["outbox.relayed"] is True
    assert relayed.parent_id == named(spans, "process email").parent_id == first.span_id


async def test_a_cron_job_begins_a_trace_of_its_own(
    resources: Resources, collector: TraceCollector
) -> None:
    every_second = cron(BuildSignupReport(days=1), minute=None, second=None)
    async with traced_resources(resources, collector) as traced:

        async def is_enqueued() -> bool:
            return bool(await traced.queues[BASE].queued_jobs())

        async with running_crons([every_second], traced):
            await wait_until(is_enqueued)
        await run_burst(BaseWorker, traced, 1, ())

    sent = [span for span in collector.spans if span.name == "send base"]
    processed = named(collector.spans, "process base")
    assert {span.parent_id for span in sent} == {""}
    assert processed.trace_id in {span.trace_id for span in sent}


async def test_a_job_without_a_row_carries_its_trace_in_its_message(
    resources: Resources, collector: TraceCollector
) -> None:
    async with traced_resources(resources, collector) as traced:
        await traced.queues.send(SendTestEmail(email="ada@example.com"))
        await run_burst(EmailWorker, traced, None, ())

    assert parents(collector.spans)["process email"] == "send email"


async def test_a_worker_with_nothing_to_do_exports_nothing(
    resources: Resources, collector: TraceCollector
) -> None:
    async with traced_resources(resources, collector) as traced:
        await Relay(EMAIL, traced).poll()
        await run_burst(EmailWorker, traced, None, ())

    assert collector.spans == []


async def test_log_lines_name_the_trace_while_there_is_one(
    resources: Resources, collector: TraceCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    async with traced_resources(resources, collector) as traced:
        await sign_up(traced)
        await run_burst(EmailWorker, traced, None, ())

    lines = capsys.readouterr().err.splitlines()
    trace_id = named(collector.spans, SIGN_UP).trace_id
    assert {event for event in EVENTS if any(event in line for line in lines)} == EVENTS
    for line in lines:
        belongs = any(event in line for event in ("request.finished", "job."))
        assert (f"trace_id={trace_id}" in line) is belongs, line
