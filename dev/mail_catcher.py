"""An SMTP server that keeps every email and delivers none."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from dev.caught_email import ENVELOPE_FROM, ENVELOPE_TO, CaughtEmail

SIZE_LIMIT = 50_000_000
DEFAULT_TIMEOUT = 600.0
"""Seconds. The limit is long enough for a busy machine."""


class MailCatcher:
    """Catch emails on a free port of 127.0.0.1, and store them in a folder.

    Tests wait with `next()` and make the server fail with `refuse_next()`.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, on_email: Callable[[CaughtEmail], None] | None = None) -> None:
        """Prepare a server that `with catcher:` starts. Its thread calls `on_email`."""
        self._on_email = on_email
        self.port = 0
        self.refused = 0
        self._folder = folder
        self._emails: dict[str, CaughtEmail] = {}
        self._arrivals: queue.SimpleQueue[CaughtEmail] = queue.SimpleQueue()
        self._refusals: list[str] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._started: Future[int] = Future()
        self._stop: Future[None] = Future()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._emails = {path.stem: CaughtEmail(path) for path in sorted(self._folder.glob("*.eml"))}
        self._thread.start()
        self.port = self._started.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set_result(None)
        self._thread.join()

    def messages(self) -> list[CaughtEmail]:
        """Return all emails in order of arrival."""
        return [*self._emails.values()]

    def get(self, email_id: str) -> CaughtEmail | None:
        """Return one email."""
        return self._emails.get(email_id)

    def next(self, timeout: float = DEFAULT_TIMEOUT) -> CaughtEmail:
        """Wait for the next email that this method has not returned yet. `timeout` is in seconds.

        Raise TimeoutError if none arrives.
        """
        try:
            return self._arrivals.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no email arrived within {timeout} s") from None

    async def anext(self, timeout: float = DEFAULT_TIMEOUT) -> CaughtEmail:  # noqa: ASYNC109  as in next()
        """Do the same as `next` without blocking the event loop."""
        return await asyncio.to_thread(self.next, timeout)

    def refuse_next(self, code: int = 451, text: str = "try again later", times: int = 1) -> None:
        """Reject the next emails: 4xx is a temporary failure, 5xx a permanent one."""
        self._refusals += [f"{code} {text}"] * times

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._protocol, self.host, 0)
            self._started.set_result(server.sockets[0].getsockname()[1])
        except OSError as error:
            self._started.set_exception(error)
            return
        await asyncio.wrap_future(self._stop)
        server.close()

    def _protocol(self) -> SMTP:
        return SMTP(
            self,
            hostname="localhost",
            ident="mail catcher",
            enable_SMTPUTF8=True,
            data_size_limit=SIZE_LIMIT,
            auth_require_tls=False,
            # The developer's .env may contain the login of a real server, so any login is accepted.
            authenticator=lambda *_: AuthResult(success=True),
            loop=asyncio.get_running_loop(),
        )

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Store one email, or reject it."""
        if self._refusals:
            self.refused += 1
            return self._refusals.pop(0)
        email = CaughtEmail(self._folder / f"{time.time_ns()}.eml")
        recipients = ", ".join(envelope.rcpt_tos)
        lines = f"{ENVELOPE_FROM}: {envelope.mail_from}\r\n{ENVELOPE_TO}: {recipients}\r\n"
        content = envelope.original_content or b""
        email.path.write_bytes(lines.encode(errors="replace") + content)
        self._emails[email.id] = email
        self._arrivals.put(email)
        if self._on_email:
            self._on_email(email)
        return "250 caught"
