"""Metrics of requests. The layer is added only if METRICS_PORT is set."""

import time

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.http.exchange import is_stream, status_of
from app.core.http.paths import route_template
from app.core.telemetry.metrics_interface import ObserveRequest


class Measured:
    """Reports the method, the route, the status, and the duration of each request."""

    def __init__(self, app: ASGIApp, *, observe: ObserveRequest) -> None:
        self.app = app
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            seconds = time.perf_counter() - began
            if not is_stream(scope):  # the client decides how long a stream lasts
                self.observe(scope["method"], route_template(scope), status_of(scope), seconds)
