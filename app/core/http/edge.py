"""The outermost layer, between the server and all others."""

import time

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from app.core.config import Settings
from app.core.http.admission import Admission
from app.core.http.exchange import EXCHANGE, Exchange
from app.core.http.forwarded import find_client
from app.core.http.hosts import TrustedHosts
from app.core.http.paths import is_health_check
from app.core.http.problems import ProblemResponse
from app.core.http.request_log import log_request, request_id_of
from app.core.http.security_headers import security_headers


class Edge:
    """Gives every request an id, a log line, and headers, and rejects requests in an overload.

    It is one layer, because each layer that wraps `send` takes as long per request as an endpoint.
    """

    def __init__(
        self, app: ASGIApp, *, settings: Settings, admission: Admission, rejection: ASGIApp
    ) -> None:
        self.app = app
        self.admission = admission
        self.rejection = rejection
        self.headers = security_headers(https_only=settings.https_only)
        self.proxies = settings.trusted_proxies
        self.hosts = TrustedHosts(settings.served_hosts) if settings.served_hosts else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        exchange = scope[EXCHANGE] = Exchange(scope, send, self.headers)
        if scope["type"] == "websocket" or is_health_check(scope):
            await self._answer(scope, receive, exchange)
        elif self.admission.is_full:
            await self._reject(scope, receive, exchange)
        else:
            self.admission.in_flight += 1
            try:
                await self._answer(scope, receive, exchange)
            finally:
                if not exchange.is_stream:
                    self.admission.in_flight -= 1

    async def _reject(self, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        self.admission.count_rejection()
        try:
            await self.rejection(scope, receive, exchange.send)
        finally:
            exchange.end()

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        """Answer a request under its id, and log how it ended."""
        if self.proxies:
            find_client(scope, self.proxies)
        exchange.request_id = request_id_of(scope)
        bound = bind_contextvars(request_id=exchange.request_id)
        began = time.perf_counter()
        try:
            if self.hosts is None or self.hosts.serve(scope):
                await self.app(scope, receive, exchange.send)
            else:
                response = ProblemResponse(400, "This host is not served here.")
                await response(scope, receive, exchange.send)
        finally:
            log_request(scope, exchange.status, time.perf_counter() - began)
            reset_contextvars(**bound)
            exchange.end()
