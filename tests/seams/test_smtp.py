"""An email server rejects emails in all possible ways and works again later."""

from collections import Counter
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import open_database
from tests.seams.deployment import Deployment, deployed
from tests.support.reports import Report
from tests.support.smtp_server import HANG_UP, SILENCE, SmtpServer, smtp_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.seams

STEPS = ("connect", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "content")
DEAD_LETTERS = text("SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL")

PASSING: list[dict[str, str]] = [
    {"connect": "421 too busy"},
    {"connect": "554 no service for you"},
    {"EHLO": "550 go away", "HELO": "550 go away"},
    {"EHLO": "250 no login here"},
    {"AUTH": "454 4.7.0 temporary failure"},
    {"AUTH": "535 5.7.8 wrong password"},
    {"MAIL": "451 try again later"},
    {"MAIL": "530 5.7.0 authentication required"},
    {"MAIL": "553 5.7.1 sender address rejected: not owned by user"},
    {"RCPT": "450 greylisted"},
    {"RCPT": "554 5.7.1 relay access denied"},
    {"RCPT": "552 5.2.2 mailbox full"},
    {"DATA": "451 try again later"},
    {"DATA": "503 no valid recipients"},
    {"content": "451 try again later"},
    {"content": "554 quota exceeded"},
    *({step: HANG_UP} for step in STEPS),
    *({step: SILENCE} for step in STEPS),
]
"""Failures that an operator can correct or that end by themselves."""

FINAL: list[dict[str, str]] = [
    {"RCPT": "550 5.1.1 no such mailbox"},
    {"content": "554 rejected as spam"},
]


async def test_an_email_survives_whatever_its_server_does(
    own_settings: Settings, tmp_path: Path, report: Report
) -> None:
    async with smtp_server() as server:
        settings = own_settings.model_copy(
            update={
                "smtp_port": server.port,
                "smtp_user": "account",
                "smtp_password": "pa55word",
                "smtp_timeout": 1,
            }
        )
        async with deployed(settings, tmp_path) as deployment:
            await deployment.start_api()
            await deployment.start_worker("email")
            people = [
                await sign_up_while(deployment, server, replies) for replies in [*FINAL, *PASSING]
            ]
            server.behave()
            expected = set(people[len(FINAL) :])

            async def all_have_their_email() -> bool:
                return expected <= set(server.recipients)

            await wait_until(all_have_their_email)
        async with open_database(settings) as database, database.engine.connect() as connection:
            dead_letters = await connection.scalar(DEAD_LETTERS)

    report(f"{len(PASSING)} refusals passed, {len(FINAL)} were final")
    assert Counter(server.recipients) == Counter(expected)
    assert dead_letters == len(FINAL)


async def sign_up_while(deployment: Deployment, server: SmtpServer, replies: dict[str, str]) -> str:
    """Sign up a user while the server rejects emails, and wait until it has rejected the email."""
    server.behave(**replies)
    email = f"{'-'.join(replies).lower()}-{server.port}-{id(replies)}@example.com"
    person = {"email": email, "password": "correct horse", "full_name": "Ada"}
    before = server.refusals
    async with httpx2.AsyncClient(base_url=deployment.api_url, timeout=60) as client:
        (await client.post("/api/v1/users/signup", json=person)).raise_for_status()

    async def has_refused() -> bool:
        return server.refusals > before

    await wait_until(has_refused)
    return email
