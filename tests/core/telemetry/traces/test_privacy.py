"""A collector gets no input of users and no secret."""

from contextlib import suppress

from app.core.resources import Resources
from app.core.telemetry.postgres import describe_statement
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from dev.mail_catcher import MailCatcher
from dev.trace_collector import TraceCollector
from tests.support.service import serve
from tests.support.smtp_server import smtp_server
from tests.support.traces import traced_resources
from tests.support.workers import run_burst

EMAIL = "planted.address@example.com"
PASSWORD = "planted-password-of-a-user"
NAME = "Planted Name"
CODE, STATE = "planted-code", "planted-state"
HEADERS = {
    "cookie": "session=planted-cookie",
    "x-api-key": "planted-key",
    "user-agent": "planted-agent",
    "referer": "https://planted-referer.example.com",
    "baggage": "planted=baggage",
    "tracestate": "planted=state",
    "traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01",
}


async def test_no_flow_of_an_account_shows_its_values(
    resources: Resources, collector: TraceCollector, mail_catcher: MailCatcher
) -> None:
    async with traced_resources(resources, collector) as traced:
        async with serve(traced) as client:
            client.headers.update(HEADERS)
            signup = {"email": EMAIL, "password": PASSWORD, "full_name": NAME}
            assert (await client.post("/api/v1/users/signup", json=signup)).is_success
            assert (await client.post("/api/v1/users/signup", json=signup)).status_code < 500
            login = {"username": EMAIL, "password": PASSWORD}
            token = (await client.post("/api/v1/login/access-token", data=login)).json()
            client.headers["authorization"] = f"Bearer {token['access_token']}"
            assert (await client.get("/api/v1/users/me")).is_success
            item = {"title": "planted title"}
            assert (await client.post("/api/v1/items/", json=item)).is_success
            await client.post("/api/v1/login/access-token", data={**login, "password": "planted"})
            await client.post(f"/api/v1/password-recovery/{EMAIL}")
            await client.post(f"/api/v1/verify-email/{EMAIL}")
            query = f"code={CODE}&state={STATE}"
            await client.get(f"/api/v1/login/oidc/planted-provider/callback?{query}")
            await client.get("/verify-email?token=planted-token")
            await client.get("/planted-path/planted-token")
        await run_burst(EmailWorker, traced, None, ())
    emails = []
    with suppress(TimeoutError):
        while email := mail_catcher.next(timeout=0):
            emails.append(email.text or "")

    exported = b"".join({span.raw for span in collector.spans}).lower()
    tokens = [part.split()[0] for text in emails for part in text.split("token=")[1:]]
    assert tokens
    secrets = [*tokens, token["access_token"], token.get("refresh_token") or PASSWORD]
    assert [each for each in secrets if each.lower().encode() in exported] == []
    assert b"planted" not in exported
    assert b"example.com" not in exported
    assert (b"ab" * 16) not in b"".join(span.trace_id.encode() for span in collector.spans)


async def test_a_failure_is_named_by_its_class_and_never_by_its_message(
    resources: Resources, collector: TraceCollector
) -> None:
    refusal = "550 planted-refusal of ada@example.com"
    async with (
        smtp_server(RCPT=refusal) as server,
        traced_resources(
            resources, collector, smtp_host="127.0.0.1", smtp_port=server.port
        ) as traced,
    ):
        async with serve(traced) as client:
            signup = {"email": EMAIL, "password": PASSWORD}
            assert (await client.post("/api/v1/users/signup", json=signup)).is_success
        await run_burst(EmailWorker, traced, None, ())

    failed = [span for span in collector.spans if span.failed]
    assert {span.name for span in failed} == {"smtp send", "process email"}
    assert all(str(span.attributes["error.type"]).isidentifier() for span in failed)
    assert b"planted" not in b"".join({span.raw for span in collector.spans})


def test_a_statement_is_shown_without_the_values_in_its_text() -> None:
    name, attributes = describe_statement(
        "SELECT users.id FROM users WHERE email = 'o''hara@example.com' AND id = $1 LIMIT 17"
    )

    assert name == "SELECT users"
    assert attributes["db.query.text"] == (
        "SELECT users.id FROM users WHERE email = ? AND id = $1 LIMIT ?"
    )
