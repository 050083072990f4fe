"""One span per request.

FastAPI's own span has the path, the query, the host, and the baggage of the client. This one leaves
them out, and costs almost nothing for a request that is not sampled.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.config import Settings
from app.core.http.exchange import EXCHANGE, status_of
from app.core.http.forwarded import comes_from
from app.core.http.paths import is_health_check, route_template
from app.core.telemetry.spans import Span
from app.core.telemetry.tracing import active_tracer

METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
SERVER_ERROR = 500


class TracedRequests:
    """The outermost layer, so that the log line of the edge has the ids of the span.

    A public client's `traceparent` is ignored. Otherwise, the client could have all of its requests
    recorded, or join the traces of others. With `TRACES_FROM_PROXIES`, the header of trusted
    proxies is used.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self.proxies = settings.trusted_proxies if settings.traces_from_proxies else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tracer = active_tracer()
        if tracer is None or scope["type"] == "lifespan" or is_health_check(scope):
            await self.app(scope, receive, send)
            return
        traceparent = None
        if self.proxies and comes_from(self.proxies, scope):
            traceparent = Headers(scope=scope).get("traceparent")
        method = _method(scope)
        with tracer.entry(method, "server", {}, traceparent=traceparent) as span:
            try:
                await self.app(scope, receive, send)
            finally:
                if span.is_recording:
                    _describe(span, scope, method)


def _describe(span: Span, scope: Scope, method: str) -> None:
    """Describe the request and its response, now that the route is known."""
    status, route = status_of(scope), route_template(scope)
    span.set({"http.request.method": method, "url.scheme": scope["scheme"]})
    if route is not None:
        span.rename(f"{method} {route}")
        span.set({"http.route": route})
    if status is not None:
        span.set({"http.response.status_code": status})
    if request_id := scope[EXCHANGE].request_id:
        span.set({"request.id": request_id})
    if status is None or status >= SERVER_ERROR:
        span.fail(str(status or "incomplete_response"))


def _method(scope: Scope) -> str:
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    return scope["method"] if scope["method"] in METHODS else "_OTHER"
