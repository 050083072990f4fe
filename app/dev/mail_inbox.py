"""The caught mails in a browser, and as JSON for scripts."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from app.dev.mail import Mail
from app.dev.mail_catcher import MailCatcher

HOST = "127.0.0.1"
PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "inbox"), autoescape=True, trim_blocks=True
)
# A link of a mail opens in a new tab, outside of the sandbox; nothing else gets out, nothing runs.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
NEW_TAB = '<base target="_blank">'
OUR_PAGES = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
THEIR_PAGES = (
    f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data: http://localhost:* http://127.0.0.1:*"
)


@contextmanager
def inbox(catcher: MailCatcher, preferred_port: int) -> Iterator[str]:
    """Serve the inbox on 127.0.0.1 and yield its URL; the port is a free one if that is taken."""

    class Handler(InboxHandler):
        mails = catcher

    try:
        server = ThreadingHTTPServer((HOST, preferred_port), Handler)
    except OSError:
        server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.daemon = True
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class InboxHandler(BaseHTTPRequestHandler):
    """The list on `/`, a mail on `/messages/ID`, its parts below; `/messages.json` for scripts."""

    mails: MailCatcher

    def do_GET(self) -> None:
        """Answer with a page, or 404."""
        newest_first = self.mails.messages()[::-1]
        path = self.path.partition("?")[0]
        if path == "/":
            self._page("list.html", mails=newest_first)
        elif path == "/messages.json":
            self._send("application/json", json.dumps([summary(mail) for mail in newest_first]))
        elif match := re.fullmatch(r"/messages/(\d+)(/html|/source)?", path):
            self._mail(self.mails.get(match[1]), match[2])
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _mail(self, mail: Mail | None, part: str | None) -> None:
        if mail is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif part == "/html":
            self._send("text/html", NEW_TAB + (mail.html or ""), THEIR_PAGES)
        elif part == "/source":
            self._send("text/plain", mail.path.read_text(errors="replace"))
        else:
            self._page("message.html", mail=mail, sandbox=SANDBOX)

    def _page(self, template: str, **values: object) -> None:
        self._send("text/html", PAGES.get_template(template).render(values))

    def _send(self, content_type: str, text: str, policy: str = OUR_PAGES) -> None:
        body = text.encode(errors="replace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to the application."""


def summary(mail: Mail) -> dict[str, str | list[str]]:
    """Return what a script wants to know about a mail."""
    return {
        "id": mail.id,
        "from": mail.sender,
        "to": mail.to,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "received_at": mail.received_at.isoformat(),
    }
