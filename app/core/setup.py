"""Puts the application together: lifespan, routers, errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, TypedDict

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app import __version__
from app.core.config import Settings, load_settings
from app.core.exceptions import (
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    NotFound,
    Refused,
    SecondFactorNeeded,
    TooManyAttempts,
    Unacceptable,
    Unauthenticated,
    Unavailable,
)
from app.core.first_superuser import check_first_superuser, create_first_superuser
from app.core.http.body_limits import BodyLimits
from app.core.http.docs import add_docs
from app.core.http.forwarded import ForwardedClient
from app.core.http.hosts import TrustedHosts
from app.core.http.security_headers import SecurityHeaders
from app.core.logging import configure_logging
from app.core.middleware import CrashMiddleware, RequestMiddleware
from app.core.problems import (
    FieldError,
    Problem,
    ProblemResponse,
    describe_problems,
    handle_http_exception,
    handle_invalid_request,
)
from app.core.resources import OpenResources, Resources, open_resources
from app.core.shutdown import Shutdown, announced_shutdown
from app.routes import (
    api_keys,
    audit,
    health,
    identities,
    items,
    jobs,
    login,
    oidc,
    reports,
    roles,
    second_factor,
    users,
    utils,
)
from app.schemas.login import SecondFactorChallenge

log = structlog.stdlib.get_logger(__name__)

STATUS_OF = {Refused: 400, Unauthenticated: 401, Forbidden: 403, NotFound: 404, Conflict: 409}
"""What a failure in plain words means to HTTP."""

UNAVAILABLE = (Unavailable, PoolExhausted, RedisError, TimeoutError)
"""Failures of what the service depends on: 503, worth another try."""

TRANSIENT_SQLSTATES = {"40001", "40P01", "55P03", "57014"}
"""Serialization failure, deadlock, lock timeout, statement timeout."""


class State(TypedDict):
    """What every request can reach: `request.state.resources`, `request.state.shutdown`."""

    resources: Resources
    shutdown: Shutdown


class Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return self.openapi_schema or describe_problems(super().openapi())


def create_application(
    settings: Settings | None = None, *, open_resources: OpenResources = open_resources
) -> FastAPI:
    """Build the service. Without settings, they are read from the environment.

    Raises ConfigurationError, which ends the process, where the settings are unusable.
    """
    settings = settings or load_settings()
    check_first_superuser(settings)
    configure_logging(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with open_resources(settings) as resources:
            await _report_what_is_away(resources)
            await create_first_superuser(resources)
            with announced_shutdown(settings.shutdown_delay) as shutdown:
                yield State(resources=resources, shutdown=shutdown)

    app = Application(
        title="FastAPI Boilerplate",
        version=__version__,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        openapi_url="/openapi.json" if settings.serves_docs else None,
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere
        redoc_url=None,
        responses={"default": {"model": Problem, "description": "What went wrong"}},
    )
    _add_routes(app)
    if settings.serves_docs:
        add_docs(app)
    _add_error_handlers(app)
    _add_middleware(app, settings)
    return app


def _operation_id(route: APIRoute) -> str:
    """Name an operation `tag-function`: generated clients make their methods' names of it."""
    return f"{route.tags[0]}-{route.name}" if route.tags else generate_unique_id(route)


def _add_routes(app: FastAPI) -> None:
    api = APIRouter(prefix="/api/v1")
    for module in (
        login,
        oidc,
        users,
        identities,
        second_factor,
        api_keys,
        items,
        roles,
        reports,
        jobs,
        audit,
        utils,
    ):
        api.include_router(module.router)
    app.include_router(api)
    app.include_router(health.router)


def _add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, handle_http_exception)
    app.add_exception_handler(RequestValidationError, handle_invalid_request)
    for kind, status in STATUS_OF.items():
        app.add_exception_handler(kind, partial(_answer, status))
    app.add_exception_handler(Unacceptable, _answer_unacceptable)
    app.add_exception_handler(TooManyAttempts, _answer_too_many_attempts)
    app.add_exception_handler(SecondFactorNeeded, _answer_second_factor_needed)
    for unavailable in UNAVAILABLE:
        app.add_exception_handler(unavailable, _answer_unavailable)
    app.add_exception_handler(DBAPIError, _answer_database_error)


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Added last means outermost: what is refused on the way in has its headers, id and line."""
    app.add_middleware(CrashMiddleware)
    app.add_middleware(BodyLimits, max_size=settings.max_body_size, timeout=settings.body_timeout)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_credentials=settings.cors_credentials,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    if settings.served_hosts:
        app.add_middleware(TrustedHosts, hosts=settings.served_hosts)
    app.add_middleware(RequestMiddleware)
    if settings.trusted_proxies:
        app.add_middleware(ForwardedClient, proxies=settings.trusted_proxies)
    in_production = settings.environment == "production"
    https_only = in_production and settings.public_url.scheme == "https"
    app.add_middleware(SecurityHeaders, https_only=https_only)


async def _answer(status: int, _: Request, error: Exception) -> ProblemResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return ProblemResponse(status, str(error), headers=headers)


async def _answer_unacceptable(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, Unacceptable)
    field = FieldError(loc=["body", error.field], msg=str(error), type="value_error")
    return ProblemResponse(422, str(error), errors=[field])


async def _answer_too_many_attempts(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, TooManyAttempts)
    return ProblemResponse(429, str(error), headers={"Retry-After": str(error.retry_after)})


async def _answer_second_factor_needed(_: Request, error: Exception) -> ProblemResponse:
    """Answer 400, as for every login that did not succeed: clients show its detail as it is."""
    assert isinstance(error, SecondFactorNeeded)
    challenge = SecondFactorChallenge(token=error.token, expires_in=error.expires_in)
    return ProblemResponse(400, str(error), second_factor=challenge)


async def _answer_unavailable(_: Request, error: Exception) -> ProblemResponse:
    cause = error.cause if isinstance(error, Unavailable) else str(error)
    log.warning("request.unavailable", error=type(error).__name__, cause=cause)
    detail = str(error) if isinstance(error, Unavailable) else "Busy. Try again in a moment."
    return ProblemResponse(503, detail, headers={"Retry-After": "5"})


async def _answer_database_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, DBAPIError)
    sqlstate = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or sqlstate in TRANSIENT_SQLSTATES:
        return await _answer_unavailable(request, error)
    raise error


async def _report_what_is_away(resources: Resources) -> None:
    """Say so at once instead of at the first request; readiness goes on telling it."""
    try:
        await resources.database.ping()
    except DatabaseUnavailable as error:
        log.error("database.unavailable", cause=error.cause)  # noqa: TRY400  the cause says it
    for queue in resources.queues:
        try:
            await resources.queues[queue].ping()
        except (RedisError, OSError) as error:
            log.error("redis.unavailable", queue=queue.name, cause=str(error))  # noqa: TRY400
