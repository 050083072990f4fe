"""The response 500 to a request whose route raised an unexpected exception."""

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.http.exchange import status_of
from app.core.http.paths import route_template
from app.core.http.problems import ProblemResponse
from app.core.logging import current_request_id
from app.core.telemetry.errors import report_error
from app.core.telemetry.tracing import current_span

CRASHED = "Something went wrong on our side. It has been logged."

log = structlog.stdlib.get_logger("app.http")


class CrashMiddleware:
    """Turns an unexpected exception into a 500.

    It belongs inside the CORS middleware, so that a front end can read the response. Outside of
    all middleware, the server would close the connection, and the next request on it would fail.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            log_crash(scope, error)
            if status_of(scope) is not None:
                raise
            await ProblemResponse(500, CRASHED)(scope, receive, send)


def log_crash(scope: Scope, error: Exception) -> None:
    method, route = scope["method"], route_template(scope)
    log.error("request.crashed", method=method, route=route, exc_info=error)
    current_span().fail(type(error).__name__)
    tags = {"method": method, "route": route, "request_id": current_request_id()}
    principal = scope.get("state", {}).get("principal")
    report_error(error, tags, user_id=getattr(principal, "user_id", None))
