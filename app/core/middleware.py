"""One request: its id, its log line, and an answer whatever happens."""

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars
from uuid_utils.compat import uuid7

from app.core.problems import ProblemResponse

log = structlog.stdlib.get_logger("app.http")

HEADER = "X-Request-ID"
ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
QUIET_PATHS = ("/health/",)
"""Asked every few seconds by machines: worth no log line while all is well."""


class RequestMiddleware:
    """Gives every request an id, which its log lines, its jobs and its answer carry."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status: int | None = None
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                _log_request(scope, status, time.perf_counter() - started)


class CrashMiddleware:
    """Makes a 500 of an unforeseen exception.

    Inside of CORS, or a front end could not read it. Further out, the server would close the
    connection after it, and the next request on it would fail.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answered = False

        async def send_and_note(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            log.exception("request.crashed", method=scope["method"], path=scope["path"])
            if answered:
                raise
            sorry = ProblemResponse(500, "Something went wrong on our side. It has been logged.")
            await sorry(scope, receive, send)


def _request_id(scope: Scope) -> str:
    """Keep the caller's id where it is harmless, so that one id spans several services."""
    given = Headers(scope=scope).get(HEADER, "")
    return given if ACCEPTABLE_ID.fullmatch(given) else uuid7().hex


def _log_request(scope: Scope, status: int | None, seconds: float) -> None:
    path = scope["path"]
    if status == 200 and path.startswith(QUIET_PATHS):  # noqa: PLR2004
        return
    log.info(
        "request",
        method=scope["method"],
        path=path,
        status=status,
        seconds=round(seconds, 4),
    )
