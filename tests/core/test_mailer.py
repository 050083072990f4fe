import aiosmtplib
import pytest
from pydantic import NameEmail, SecretStr
from structlog.testing import capture_logs

from app.core.config import Settings
from app.core.mailer import EmailMessage, EmailRejected, Mailer, SendingRefused
from dev.mail_catcher import MailCatcher
from tests.support.ports import CLOSED_PORT, silent_server
from tests.support.smtp_server import smtp_server

MESSAGE = EmailMessage("ada@example.com", "Grüße", text="plain", html="<p>rich</p>")
ACCOUNT: dict[str, object] = {"smtp_user": "us", "smtp_password": SecretStr("pa55word")}


@pytest.fixture
def mailer(settings: Settings) -> Mailer:
    return Mailer(settings)


async def test_an_email_has_plain_text_and_html(mailer: Mailer, mail_catcher: MailCatcher) -> None:
    await mailer.send(MESSAGE, key="some-job")

    email = await mail_catcher.anext()
    assert (email.to, email.subject) == (["ada@example.com"], "Grüße")
    assert email.header("From") == "FastAPI Boilerplate <noreply@example.com>"
    assert (email.text or "").strip() == "plain"
    assert (email.html or "").strip() == "<p>rich</p>"


async def test_the_same_key_gives_the_same_message_id(
    mailer: Mailer, mail_catcher: MailCatcher
) -> None:
    for _ in range(2):
        await mailer.send(MESSAGE, key="some-job")

    ids = [(await mail_catcher.anext()).message_id for _ in range(2)]
    assert ids == ["<some-job@example.com>"] * 2


@pytest.mark.parametrize(
    "name", ["Acme, Inc.", 'The "Best" Shop', "Ämter; GmbH", "a@b.example", "(A) <B>", ""]
)
async def test_a_senders_name_may_contain_any_character(settings: Settings, name: str) -> None:
    sender = NameEmail(name, "noreply@example.com")
    async with smtp_server() as server:
        changes = {"smtp_port": server.port, "mail_from": sender}
        await Mailer(settings.model_copy(update=changes)).send(MESSAGE, key="some-job")

    [envelope] = [line for line in server.lines if line.startswith("MAIL")]
    assert envelope.split()[1] == "FROM:<noreply@example.com>"
    [header] = [line for line in server.lines if line.startswith("From: ")]
    assert aiosmtplib.email.parse_address(header.removeprefix("From: ")) == "noreply@example.com"


@pytest.mark.parametrize(
    ("recipient", "delivered_to"),
    [
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("user@straße.example", "user@xn--strae-oqa.example"),
        ("user@BÜCHER.example", "user@xn--bcher-kva.example"),
        ("user@例え.テスト", "user@xn--r8jz45g.xn--zckzah"),
        ("o'hara+x@example.com", "o'hara+x@example.com"),
    ],
)
async def test_a_domain_in_any_script_reaches_servers_that_know_ascii_only(
    settings: Settings, recipient: str, delivered_to: str
) -> None:
    message = EmailMessage(recipient, "Hello", text="plain", html="rich")
    async with smtp_server() as server:
        changes = {
            "smtp_port": server.port,
            "mail_from": NameEmail("Bücher", "noreply@bücher.example"),
        }
        await Mailer(settings.model_copy(update=changes)).send(message, key="some-job")

    assert f"RCPT TO:<{delivered_to}>" in server.lines
    assert f"To: {delivered_to}" in server.lines
    assert "Message-ID: <some-job@xn--bcher-kva.example>" in server.lines


async def test_a_mailbox_that_the_server_cannot_spell_is_rejected_for_good(
    settings: Settings,
) -> None:
    message = EmailMessage("jürgen@example.com", "Hello", text="plain", html="rich")
    async with smtp_server() as server:
        mailer = Mailer(settings.model_copy(update={"smtp_port": server.port}))
        with pytest.raises(EmailRejected, match="SMTPUTF8"):
            await mailer.send(message, key="some-job")


@pytest.mark.parametrize(
    "replies",
    [
        {"RCPT": "550 no such mailbox"},
        {"RCPT": "550 5.1.1 The account does not exist. Verify the address"},
        {"RCPT": "550-5.1.1 The account\r\n550 5.1.1 does not exist"},
        {"RCPT": "554 5.1.2 bad domain"},
        {"RCPT": "550 5.2.1 mailbox disabled"},
        {"RCPT": "550 5.4.1 recipient address rejected"},
        {"RCPT": "551 user not local"},
        {"RCPT": "553 mailbox name invalid"},
        {"RCPT": "556 domain accepts no email"},
        {"MAIL": "552 5.3.4 message too big"},
        {"content": "552 message size exceeds the limit"},
        {"content": "554 rejected as spam"},
        {"content": "550 5.7.1 rejected because of its content"},
        {"content": "554 5.6.0 malformed message"},
    ],
    ids=lambda replies: " ".join(*replies.items()),
)
async def test_a_rejected_recipient_or_message_is_final(
    settings: Settings, replies: dict[str, str]
) -> None:
    async with smtp_server(**replies) as server:
        mailer = Mailer(settings.model_copy(update={"smtp_port": server.port}))
        with pytest.raises(EmailRejected, match=r"5\d\d"):
            await mailer.send(MESSAGE, key="some-job")


@pytest.mark.parametrize(
    "replies",
    [
        {"connect": "554 no service for you"},
        {"EHLO": "550 go away", "HELO": "550 go away"},
        {"EHLO": "250 no login here"},
        {"AUTH": "535 5.7.8 wrong password"},
        {"AUTH": "534 5.7.9 use an application password"},
        {"AUTH": "530 must issue STARTTLS first"},
        {"MAIL": "530 5.7.0 authentication required"},
        {"MAIL": "550 no such sender"},
        {"MAIL": "553 5.7.1 sender address rejected: not owned by user"},
        {"MAIL": "552 out of storage"},
        {"MAIL": "554 daily quota exceeded"},
        {"RCPT": "530 5.7.0 authentication required"},
        {"RCPT": "550 relay not permitted"},
        {"RCPT": "554 5.7.1 relay access denied"},
        {"RCPT": "553 5.7.1 sender address rejected: not owned by user"},
        {"RCPT": "550 5.1.8 sender's domain not found"},
        {"RCPT": "550 5.4.5 daily user sending quota exceeded"},
        {"RCPT": "554 quota exceeded"},
        {"RCPT": "552 5.2.2 mailbox full"},
        {"DATA": "503 no valid recipients"},
        {"content": "554 quota exceeded"},
        {"content": "550 maximum credits exceeded"},
        {"content": "554 Message rejected: the address of the sender is not verified"},
        {"content": "550 5.7.60 no permission to send as this sender"},
        {"content": "550 5.7.26 unauthenticated: SPF and DKIM did not pass"},
        {"content": "554 5.7.1 your account is suspended"},
    ],
    ids=lambda replies: " ".join(*[*replies.items()][:1]),
)
async def test_a_refused_login_sender_or_quota_is_retried_and_alerts_the_operator(
    settings: Settings, replies: dict[str, str]
) -> None:
    async with smtp_server(**replies) as server:
        mailer = Mailer(settings.model_copy(update=ACCOUNT | {"smtp_port": server.port}))
        with capture_logs() as lines, pytest.raises(SendingRefused):
            await mailer.send(MESSAGE, key="some-job")

    [alert] = [line for line in lines if line["event"] == "email.sending_refused"]
    assert alert["log_level"] == "error"
    assert alert["cause"]
    assert "SMTP_" in alert["cure"] or "MAIL_FROM" in alert["cure"]
    assert "pa55word" not in str(alert)


async def test_a_server_without_the_encryption_that_we_ask_for_alerts_the_operator(
    settings: Settings,
) -> None:
    async with smtp_server() as server:
        changes = {"smtp_port": server.port, "smtp_tls": "starttls"}
        with pytest.raises(SendingRefused, match="STARTTLS"):
            await Mailer(settings.model_copy(update=changes)).send(MESSAGE, key="some-job")


@pytest.mark.parametrize(
    "replies",
    [
        {"connect": "421 too busy"},
        {"AUTH": "454 4.7.0 temporary failure"},
        {"MAIL": "451 try again later"},
        {"RCPT": "450 greylisted"},
        {"RCPT": "452 4.2.2 mailbox full"},
        {"content": "451 try again later"},
    ],
    ids=lambda replies: " ".join(*replies.items()),
)
async def test_a_temporary_failure_is_retried_without_an_alert(
    settings: Settings, replies: dict[str, str]
) -> None:
    async with smtp_server(**replies) as server:
        mailer = Mailer(settings.model_copy(update=ACCOUNT | {"smtp_port": server.port}))
        with capture_logs() as lines, pytest.raises(aiosmtplib.SMTPException):
            await mailer.send(MESSAGE, key="some-job")

    assert lines == []


async def test_the_next_try_after_a_temporary_failure_succeeds(
    mailer: Mailer, mail_catcher: MailCatcher
) -> None:
    mail_catcher.refuse_next(451)
    with pytest.raises(aiosmtplib.SMTPResponseException):
        await mailer.send(MESSAGE, key="some-job")

    await mailer.send(MESSAGE, key="some-job")
    await mail_catcher.anext()


async def test_a_server_that_is_down_is_retried(settings: Settings) -> None:
    down = Mailer(settings.model_copy(update={"smtp_port": CLOSED_PORT}))
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await down.send(MESSAGE, key="some-job")


async def test_a_server_that_does_not_answer_is_retried_after_a_timeout(settings: Settings) -> None:
    with silent_server() as port:
        silent = settings.model_copy(update={"smtp_port": port, "smtp_timeout": 0.05})
        with pytest.raises(aiosmtplib.SMTPTimeoutError):
            await Mailer(silent).send(MESSAGE, key="some-job")


async def test_a_line_break_cannot_add_a_header(mailer: Mailer) -> None:
    message = EmailMessage("ada@example.com", "Hello\r\nBcc: eve@example.com", text="", html="")
    with pytest.raises(ValueError, match="linefeed"):
        await mailer.send(message, key="some-job")
