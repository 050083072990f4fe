"""The mail catcher: an SMTP server for development and tests, and its inbox in the browser."""

import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from dev.email_inbox import inbox
from dev.mail_catcher import MailCatcher
from tests.support.waiting import STALLED_AFTER

HOSTILE = "<script>alert('subject')</script>"


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[MailCatcher]:
    with MailCatcher(tmp_path) as catcher:
        yield catcher


@pytest.fixture
def page(catcher: MailCatcher) -> Iterator[str]:
    with inbox(catcher, preferred_port=0) as url:
        yield url


def email(subject: str = "Welcome", html: str = "<p>Hello</p>") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.com", "ada@example.com"
    message["Subject"], message["Message-ID"] = subject, "<42@example.com>"
    message.set_content("Hello in words")
    message.add_alternative(html, subtype="html")
    return message


def send(catcher: MailCatcher, message: EmailMessage | bytes, to: str = "ada@example.com") -> None:
    content = message if isinstance(message, bytes) else message.as_bytes()
    with smtplib.SMTP(catcher.host, catcher.port) as client:
        client.sendmail("shop@example.com", [to, "hidden@example.com"], content)


def get(url: str | Request) -> HTTPResponse:
    response = urlopen(url, timeout=STALLED_AFTER)  # noqa: S310  our own server
    assert isinstance(response, HTTPResponse)
    return response


def test_an_email_that_was_sent_can_be_read(catcher: MailCatcher) -> None:
    send(catcher, email("Grüße, 世界"))
    caught = catcher.next()
    assert caught.to == ["ada@example.com", "hidden@example.com"]
    assert caught.sender == "shop@example.com"
    assert caught.subject == "Grüße, 世界"
    assert caught.message_id == "<42@example.com>"
    assert caught.text == "Hello in words\n"
    assert caught.html == "<p>Hello</p>\n"
    assert catcher.messages() == [caught]


def test_a_folded_header_is_one_line(catcher: MailCatcher) -> None:
    send(catcher, email())
    headers = dict(catcher.next().headers())
    assert headers["Content-Type"].startswith('multipart/alternative; boundary="')


async def test_an_async_test_waits_without_blocking(catcher: MailCatcher) -> None:
    send(catcher, email("Welcome"))
    assert (await catcher.anext()).subject == "Welcome"


def test_emails_survive_a_restart(tmp_path: Path) -> None:
    with MailCatcher(tmp_path) as catcher:
        send(catcher, email("First"))
    with MailCatcher(tmp_path) as catcher:
        send(catcher, email("Second"))
        assert [email.subject for email in catcher.messages()] == ["First", "Second"]


def test_any_login_is_accepted(catcher: MailCatcher) -> None:
    with smtplib.SMTP(catcher.host, catcher.port) as client:
        client.login("somebody", "whatever")


def test_a_temporary_failure_is_answered_as_often_as_asked(catcher: MailCatcher) -> None:
    catcher.refuse_next(451, "greylisted", times=2)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError, match="greylisted") as failure:
            send(catcher, email())
        assert failure.value.smtp_code == 451
    send(catcher, email())
    assert (catcher.refused, len(catcher.messages())) == (2, 1)


def test_waiting_for_an_email_that_never_comes_ends(catcher: MailCatcher) -> None:
    with pytest.raises(TimeoutError, match="no email arrived within"):
        catcher.next(timeout=0.01)


def test_the_inbox_lists_the_newest_first(catcher: MailCatcher, page: str) -> None:
    assert "None yet" in get(page).read().decode()
    send(catcher, email("First"))
    send(catcher, email("Second"))
    listed = get(page).read().decode()
    assert listed.index("Second") < listed.index("First")
    assert "ada@example.com" in listed


def test_scripts_read_the_inbox_as_json(catcher: MailCatcher, page: str) -> None:
    send(catcher, email("Welcome"))
    [summary] = json.loads(get(f"{page}/messages.json").read())
    assert summary == {
        "id": catcher.messages()[0].id,
        "from": "shop@example.com",
        "to": ["ada@example.com", "hidden@example.com"],
        "subject": "Welcome",
        "message_id": "<42@example.com>",
        "received_at": catcher.messages()[0].received_at.isoformat(),
    }


def test_a_hostile_email_stays_text(catcher: MailCatcher, page: str) -> None:
    send(catcher, email(HOSTILE, html=HOSTILE), to="<i>@example.com")
    message = f"{page}/messages/{catcher.next().id}"
    for url in (page, message):
        shown = get(url).read().decode()
        assert "<script" not in shown
        assert "<i>" not in shown
    assert "&lt;script&gt;" in get(message).read().decode()
    assert (
        '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"'
        in get(message).read().decode()
    )


def test_the_html_of_an_email_is_sandboxed_even_when_opened_directly(
    catcher: MailCatcher, page: str
) -> None:
    send(catcher, email(html=HOSTILE))
    response = get(f"{page}/messages/{catcher.next().id}/html")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no headers at all",
        b"Subject: =?utf-8?b?!!!?=\r\nFrom: @@@<>;\r\nDate: never\r\n\r\n",
        b"Subject: =?klingon?q?x?=\r\nContent-Type: text/html; charset=klingon\r\n\r\nx",
        b"Subject: \xff\xfe\r\nContent-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%",
    ],
)
def test_a_malformed_email_can_be_looked_at(
    content: bytes, catcher: MailCatcher, page: str
) -> None:
    send(catcher, content)
    message = f"{page}/messages/{catcher.next().id}"
    for url in (page, f"{page}/messages.json", message, f"{message}/html", f"{message}/source"):
        assert get(url).status == 200


@pytest.mark.parametrize("path", ["/nothing", "/messages/1", "/messages/../lock"])
def test_what_is_not_an_email_is_not_found(path: str, page: str) -> None:
    with pytest.raises(HTTPError, match="404"):
        get(page + path)


def test_the_inbox_moves_where_its_port_is_taken(catcher: MailCatcher, page: str) -> None:
    taken = int(page.rpartition(":")[2])
    with inbox(catcher, preferred_port=taken) as other:
        assert other != page
        assert get(other).status == 200


@pytest.mark.parametrize("path", ["/", "/messages.json", "/messages/1"])
def test_a_web_page_under_another_name_cannot_read_the_emails(
    catcher: MailCatcher, page: str, path: str
) -> None:
    send(catcher, email())
    catcher.next()
    port = page.rpartition(":")[2]

    statuses = {}
    for host in (f"rebound.example.com:{port}", f"localhost:{port}", f"127.0.0.1:{port}", ""):
        request = Request(f"{page}{path}", headers={"Host": host})  # noqa: S310  our own server
        try:
            statuses[host.partition(":")[0]] = get(request).status
        except HTTPError as error:
            statuses[host.partition(":")[0]] = error.code

    assert statuses["rebound.example.com"] == statuses[""] == 403
    assert 403 not in {statuses["localhost"], statuses["127.0.0.1"]}
