"""The ASGI layers around the routes, in their order."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.core.config import Settings
from app.core.http.admission import Admission, TooBusy
from app.core.http.body_limits import BodyLimits
from app.core.http.concurrency import LimitedConcurrency
from app.core.http.crashes import CrashMiddleware
from app.core.http.edge import Edge
from app.core.http.security_headers import security_headers
from app.core.http.tracing import TracedRequests


def add_middleware(app: FastAPI, settings: Settings, admission: Admission) -> None:
    """Add the layers, the innermost first.

    A rejection by an inner layer also has security headers, an id, and a log line from the edge.
    """
    app.add_middleware(CrashMiddleware)
    app.add_middleware(BodyLimits, max_size=settings.max_body_size, timeout=settings.body_timeout)
    app.add_middleware(with_cors, settings=settings)
    app.add_middleware(LimitedConcurrency, limiter=admission.limiter)
    rejection = _rejection(settings, admission)
    app.add_middleware(Edge, settings=settings, admission=admission, rejection=rejection)
    if settings.traces:
        app.add_middleware(TracedRequests, settings=settings)


def with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Allow the listed front ends to call the API from browsers."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_credentials=settings.cors_credentials,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Location", "Retry-After", "X-Request-ID"],
    )


def _rejection(settings: Settings, admission: Admission) -> ASGIApp:
    """Build the few layers for rejections in an overload, which must be cheap."""
    admission.prepare_rejection(security_headers(https_only=settings.https_only))
    limited = BodyLimits(
        TooBusy(admission), max_size=settings.max_body_size, timeout=settings.body_timeout
    )
    return with_cors(limited, settings)
