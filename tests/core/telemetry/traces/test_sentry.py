"""The content of error reports for Sentry."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fastapi import APIRouter, Request
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.core.queue import EMAIL
from app.core.resources import Resources, open_resources
from app.core.setup import create_application
from app.core.telemetry.errors import report_error, reporting_errors
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from app.routes.deps.principals import UserScope
from dev.mail_catcher import MailCatcher
from tests.support.passwords import CHEAP_PASSWORDS
from tests.support.sentry_server import SentryServer
from tests.support.service import already_open, serve
from tests.support.workers import make_due, run_burst

ADA = {"email": "planted.address@example.com", "password": "planted-password"}
LOGIN = {"username": ADA["email"], "password": ADA["password"]}

crashing = APIRouter()


@crashing.post("/crash/{planted}")
async def crash(planted: str, request: Request, scope: UserScope) -> None:
    body = await request.body()
    raise LookupError(f"planted-message {planted} {body!r} {scope.principal}")


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    with SentryServer().running() as server:
        yield server


def reported_settings(settings: Settings, sentry: SentryServer) -> Settings:
    changes = {"sentry_dsn": SecretStr(sentry.dsn), "sentry_release": "abc123"}
    return settings.model_copy(update=changes)


@asynccontextmanager
async def reporting(resources: Resources, sentry: SentryServer) -> AsyncIterator[Resources]:
    """Open the resources of a process that reports errors, and send all reports at the end."""
    async with open_resources(reported_settings(resources.settings, sentry)) as opened:
        yield replace(opened, throttle=resources.throttle, passwords=CHEAP_PASSWORDS)


async def test_a_crash_is_reported_with_its_place_and_request_but_without_any_value(
    resources: Resources, sentry: SentryServer
) -> None:
    async with reporting(resources, sentry) as reported:
        app = create_application(reported.settings, open_resources=already_open(reported))
        app.include_router(crashing)
        async with serve(app) as client:
            await client.post("/api/v1/users/signup", json=ADA)
            token = (await client.post("/api/v1/login/access-token", data=LOGIN)).json()
            client.headers["authorization"] = f"Bearer {token['access_token']}"
            user = (await client.get("/api/v1/users/me")).json()
            client.headers["cookie"] = "planted=cookie"
            response = await client.post("/crash/planted-path?planted=query", content="planted")
    assert response.status_code == 500

    [event] = sentry.events
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("LookupError", "")
    assert error["stacktrace"]["frames"][-1]["function"] == "crash"
    assert event["tags"] == {
        "method": "POST",
        "route": "/crash/{planted}",
        "request_id": response.headers["x-request-id"],
    }
    assert event["user"] == {"id": user["id"]}
    assert (event["release"], event["environment"]) == ("abc123", "test")
    assert "request" not in event
    assert all("vars" not in frame for frame in error["stacktrace"]["frames"])
    for secret in (*ADA.values(), token["access_token"], "planted=", "planted-message b"):
        assert secret.encode() not in sentry.raw


async def test_a_job_is_reported_when_it_has_failed_for_good_and_not_before(
    resources: Resources, sentry: SentryServer, mail_catcher: MailCatcher
) -> None:
    async with reporting(resources, sentry) as reported:
        async with serve(reported) as client:
            await client.post("/api/v1/users/signup", json=ADA)
        mail_catcher.refuse_next(451, "planted.address@example.com later")
        await run_burst(EmailWorker, reported, 1, ())
        mail_catcher.refuse_next(550, "planted.address@example.com is unknown")
        await make_due(reported.queues, EMAIL)
        await run_burst(EmailWorker, reported, 1, ())

    [event] = sentry.events
    names = [error["type"] for error in event["exception"]["values"]]
    assert names[-1] == "EmailRejected"
    assert {error["value"] for error in event["exception"]["values"]} == {""}
    assert event["tags"].keys() == {"queue", "job", "job_id", "attempt", "request_id"}
    assert (event["tags"]["job"], event["tags"]["attempt"]) == ("SendWelcomeEmail", "2")
    assert b"planted" not in sentry.raw


async def test_many_errors_of_one_kind_cost_few_reports_and_hide_no_other_kind(
    settings: Settings, sentry: SentryServer
) -> None:
    def fail(error: Exception) -> Exception:
        try:
            raise error
        except type(error) as raised:
            return raised

    with capture_logs() as lines:
        async with reporting_errors(reported_settings(settings, sentry)):
            for _ in range(20):
                report_error(fail(ValueError("again")), {"job": "Same"})
            report_error(fail(KeyError("once")), {"job": "Other"})

    types = [event["exception"]["values"][0]["type"] for event in sentry.events]
    assert sorted(types) == ["KeyError", *["ValueError"] * 5]
    assert [line["event"] for line in lines] == ["errors.not_reported"]


async def test_an_unusable_dsn_stops_the_start(settings: Settings) -> None:
    wrong = settings.model_copy(update={"sentry_dsn": SecretStr("https://sentry.example.com")})

    with pytest.raises(ConfigurationError, match="SENTRY_DSN"):
        async with reporting_errors(wrong):
            pass
