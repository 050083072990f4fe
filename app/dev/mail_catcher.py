"""An SMTP server that keeps every mail and delivers none."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from app.dev.mail import ENVELOPE_FROM, ENVELOPE_TO, Mail

SIZE_LIMIT = 50_000_000
START_TIMEOUT = 10.0


class MailCatcher:
    """Catch mails on a free port of 127.0.0.1 and keep them in a folder over restarts.

    Tests wait with `next()` and let the server fail with `refuse_next()`.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, on_mail: Callable[[Mail], None] | None = None) -> None:
        """Nothing listens before `with catcher:`. `on_mail` is called in the server's thread."""
        self._on_mail = on_mail
        self.port = 0
        self.refused = 0
        self._folder = folder
        self._mails: dict[str, Mail] = {}
        self._arrivals: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        self._refusals: list[str] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._started: Future[int] = Future()
        self._stop: Future[None] = Future()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._mails = {path.stem: Mail(path) for path in sorted(self._folder.glob("*.eml"))}
        self._thread.start()
        self.port = self._started.result(START_TIMEOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set_result(None)
        self._thread.join()

    def messages(self) -> list[Mail]:
        """Return all mails in the order of their arrival."""
        return [*self._mails.values()]

    def get(self, mail_id: str) -> Mail | None:
        """Return one mail."""
        return self._mails.get(mail_id)

    def next(self, timeout: float = 5.0) -> Mail:
        """Wait for the next mail that this method has not returned yet; `timeout` in seconds.

        Raises TimeoutError.
        """
        try:
            return self._arrivals.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no mail arrived within {timeout} s") from None

    async def anext(self, timeout: float = 5.0) -> Mail:  # noqa: ASYNC109  as in next()
        """Do the same without blocking the event loop."""
        return await asyncio.to_thread(self.next, timeout)

    def refuse_next(self, code: int = 451, text: str = "try again later", times: int = 1) -> None:
        """Answer the next mails with a failure: 4xx is temporary, 5xx is for good."""
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
            # A developer's .env may hold the login of a real server: any will do here.
            authenticator=lambda *_: AuthResult(success=True),
            loop=asyncio.get_running_loop(),
        )

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Keep one mail, or refuse it as told."""
        if self._refusals:
            self.refused += 1
            return self._refusals.pop(0)
        mail = Mail(self._folder / f"{time.time_ns()}.eml")
        recipients = ", ".join(envelope.rcpt_tos)
        lines = f"{ENVELOPE_FROM}: {envelope.mail_from}\r\n{ENVELOPE_TO}: {recipients}\r\n"
        content = envelope.original_content or b""
        mail.path.write_bytes(lines.encode(errors="replace") + content)
        self._mails[mail.id] = mail
        self._arrivals.put(mail)
        if self._on_mail:
            self._on_mail(mail)
        return "250 caught"
