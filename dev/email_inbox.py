"""The inbox of caught emails, in a browser and as JSON for scripts."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from dev.caught_email import CaughtEmail
from dev.mail_catcher import MailCatcher

HOST = "127.0.0.1"
LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "inbox"), autoescape=True, trim_blocks=True
)
# A link in an email opens in a new tab outside the sandbox. Everything else stays inside.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
NEW_TAB = '<base target="_blank">'
OUR_PAGES = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
THEIR_PAGES = (
    f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data: http://localhost:* http://127.0.0.1:*"
)


@contextmanager
def inbox(catcher: MailCatcher, preferred_port: int) -> Iterator[str]:
    """Serve the inbox on 127.0.0.1 and yield its URL. If the port is taken, use a free one."""

    class Handler(InboxHandler):
        emails = catcher

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
    """Serve the list at `/`, an email at `/messages/ID`, and JSON at `/messages.json`."""

    emails: MailCatcher

    def do_GET(self) -> None:
        """Send a page, or 404, or 403 if the host is not a name of this machine.

        A website whose name resolves to 127.0.0.1 must not read the emails.
        """
        if not LOOPBACK.fullmatch(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.FORBIDDEN, "Open the inbox at localhost")
            return
        newest_first = self.emails.messages()[::-1]
        path = self.path.partition("?")[0]
        if path == "/":
            self._page("list.html", emails=newest_first)
        elif path == "/messages.json":
            self._send("application/json", json.dumps([summary(email) for email in newest_first]))
        elif match := re.fullmatch(r"/messages/(\d+)(/html|/source)?", path):
            self._email(self.emails.get(match[1]), match[2])
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _email(self, email: CaughtEmail | None, part: str | None) -> None:
        if email is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif part == "/html":
            self._send("text/html", NEW_TAB + (email.html or ""), THEIR_PAGES)
        elif part == "/source":
            self._send("text/plain", email.path.read_text(errors="replace"))
        else:
            self._page("message.html", email=email, sandbox=SANDBOX)

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
        """Log nothing: the terminal belongs to the application."""


def summary(email: CaughtEmail) -> dict[str, str | list[str]]:
    """Return the properties of an email for a script."""
    return {
        "id": email.id,
        "from": email.sender,
        "to": email.to,
        "subject": email.subject,
        "message_id": email.message_id,
        "received_at": email.received_at.isoformat(),
    }
