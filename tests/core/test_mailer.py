import socket
from collections.abc import Iterator
from contextlib import contextmanager

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller

from app.core.config import Settings
from app.core.mailer import Mail, Mailer, MailRefused
from app.dev.mail_catcher import MailCatcher
from tests.ports import CLOSED_PORT, silent_server

MAIL = Mail("ada@example.com", "Grüße", text="plain", html="<p>rich</p>")


@contextmanager
def refusing_every_mailbox(answer: str) -> Iterator[int]:
    class Refusal:
        async def handle_RCPT(self, *_: object) -> str:  # noqa: N802  aiosmtpd's name
            return answer

    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    controller = Controller(Refusal(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def mailer(settings: Settings) -> Mailer:
    return Mailer(settings)


async def test_a_mail_has_a_plain_and_a_rich_form(mailer: Mailer, mails: MailCatcher) -> None:
    await mailer.send(MAIL, key="some-job")

    mail = await mails.anext()
    assert (mail.to, mail.subject) == (["ada@example.com"], "Grüße")
    assert mail.header("From") == "FastAPI Boilerplate <noreply@example.com>"
    assert (mail.text or "").strip() == "plain"
    assert (mail.html or "").strip() == "<p>rich</p>"


async def test_the_same_key_gives_the_same_message_id(mailer: Mailer, mails: MailCatcher) -> None:
    for _ in range(2):
        await mailer.send(MAIL, key="some-job")

    ids = [(await mails.anext()).message_id for _ in range(2)]
    assert ids == ["<some-job@example.com>"] * 2


async def test_a_temporary_failure_can_be_tried_again(mailer: Mailer, mails: MailCatcher) -> None:
    mails.refuse_next(451)
    with pytest.raises(aiosmtplib.SMTPResponseException):
        await mailer.send(MAIL, key="some-job")

    await mailer.send(MAIL, key="some-job")
    await mails.anext()


async def test_a_lasting_failure_is_final(mailer: Mailer, mails: MailCatcher) -> None:
    mails.refuse_next(550)
    with pytest.raises(MailRefused, match="550"):
        await mailer.send(MAIL, key="some-job")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("550 no such mailbox", MailRefused), ("450 greylisted", aiosmtplib.SMTPRecipientsRefused)],
)
async def test_a_refused_mailbox_is_final_and_a_busy_one_is_not(
    settings: Settings, answer: str, expected: type[Exception]
) -> None:
    with refusing_every_mailbox(answer) as port:
        mailer = Mailer(settings.model_copy(update={"smtp_port": port}))
        with pytest.raises(expected):
            await mailer.send(MAIL, key="some-job")


async def test_a_server_that_is_away_can_be_tried_again(settings: Settings) -> None:
    away = Mailer(settings.model_copy(update={"smtp_port": CLOSED_PORT}))
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await away.send(MAIL, key="some-job")


async def test_a_silent_server_is_given_up(settings: Settings) -> None:
    with silent_server() as port:
        silent = settings.model_copy(update={"smtp_port": port, "smtp_timeout": 0.05})
        with pytest.raises(aiosmtplib.SMTPTimeoutError):
            await Mailer(silent).send(MAIL, key="some-job")


async def test_a_line_break_cannot_add_a_header(mailer: Mailer) -> None:
    mail = Mail("ada@example.com", "Hello\r\nBcc: eve@example.com", text="", html="")
    with pytest.raises(ValueError, match="linefeed"):
        await mailer.send(mail, key="some-job")
