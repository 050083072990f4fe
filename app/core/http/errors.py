"""The table of failures and their HTTP statuses."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ExceptionHandler
from starlette.websockets import WebSocket, WebSocketState

from app.core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidField,
    NotFound,
    RecentProofRequired,
    SecondFactorRequired,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from app.core.http.problems import (
    FieldError,
    ProblemResponse,
    RecentProof,
    SecondFactorChallenge,
    handle_http_exception,
    handle_invalid_request,
)

log = structlog.stdlib.get_logger(__name__)

Handler = Callable[[HTTPConnection, Exception], Awaitable[ProblemResponse]]

STATUS_OF: dict[type[Exception], int] = {
    BadRequest: 400,
    SecondFactorRequired: 400,  # like every failed login, so that clients show its detail
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    InvalidField: 422,
    TooManyAttempts: 429,
    Unavailable: 503,
}

OUTAGES = (Unavailable, PoolExhausted, RedisError, TimeoutError)
"""Failures of dependencies. The response is 503, because a retry may succeed."""

BUSY = "Busy. Try again in a moment."

TRANSIENT_SQLSTATES = {"40001", "40P01", "55P03", "57014"}
"""Serialization failure, deadlock, lock timeout, statement timeout."""

POLICY_VIOLATION, INTERNAL_ERROR = 1008, 1011
"""The codes with which an open websocket is closed."""

MAX_REASON = 40
"""In characters. The frame that closes a websocket has room for 123 bytes."""


def add_error_handlers(app: FastAPI) -> None:
    handlers: dict[type[Exception], Handler] = dict.fromkeys(STATUS_OF, _handle)
    handlers |= dict.fromkeys(OUTAGES, _handle_outage)
    handlers |= {
        RequestValidationError: handle_invalid_request,
        WebSocketRequestValidationError: _handle_invalid_websocket,
        HTTPException: handle_http_exception,
        DBAPIError: _handle_database_error,
    }
    for failure, handler in handlers.items():
        app.add_exception_handler(failure, _for_any_connection(handler))


def response_to(failure: Exception) -> ProblemResponse:
    """Return the response to a failure of the table."""
    errors = challenge = proof = headers = None
    match failure:
        case Unauthenticated():
            headers = {"WWW-Authenticate": "Bearer"}
        case TooManyAttempts(retry_after=seconds):
            headers = {"Retry-After": str(seconds)}
        case Unavailable():
            headers = {"Retry-After": str(failure.retry_after)}
        case InvalidField(field=field):
            errors = [FieldError(loc=["body", field], msg=str(failure), type="value_error")]
        case SecondFactorRequired(token=token, expires_in=expires_in, methods=methods):
            challenge = SecondFactorChallenge(
                token=token, expires_in=expires_in, methods=[*methods]
            )
        case RecentProofRequired(methods=methods, minutes=minutes):
            proof = RecentProof(methods=[*methods], minutes=minutes)
    return ProblemResponse(
        status_of(failure),
        str(failure),
        errors=errors,
        second_factor=challenge,
        proof=proof,
        headers=headers,
    )


def status_of(failure: Exception) -> int:
    return next(STATUS_OF[kind] for kind in type(failure).__mro__ if kind in STATUS_OF)


def is_outage(failure: Exception) -> bool:
    """Return whether a retry may succeed."""
    if isinstance(failure, DBAPIError):
        sqlstate = getattr(failure.orig, "sqlstate", None)
        return failure.connection_invalidated or sqlstate in TRANSIENT_SQLSTATES
    return isinstance(failure, OUTAGES)


def _for_any_connection(handler: Handler) -> ExceptionHandler:
    """Send the problem as the response, even to a websocket that is not open yet.

    An open websocket is closed with a code and the same text.
    """

    async def handle(connection: HTTPConnection, error: Exception) -> ProblemResponse | None:
        response = await handler(connection, error)
        if isinstance(connection, WebSocket) and _is_open(connection):
            is_ours = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            code = INTERNAL_ERROR if is_ours else POLICY_VIOLATION
            await connection.close(code, str(error)[:MAX_REASON])
            return None
        return response

    # Starlette sends the result to a websocket, too, although its annotation does not allow it.
    return cast("ExceptionHandler", handle)


def _is_open(websocket: WebSocket) -> bool:
    return websocket.application_state is WebSocketState.CONNECTED


async def _handle(_: HTTPConnection, error: Exception) -> ProblemResponse:
    return response_to(error)


async def _handle_invalid_websocket(
    connection: HTTPConnection, error: Exception
) -> ProblemResponse:
    assert isinstance(error, WebSocketRequestValidationError)
    return await handle_invalid_request(connection, RequestValidationError(error.errors()))


async def _handle_outage(_: HTTPConnection, error: Exception) -> ProblemResponse:
    outage = error if isinstance(error, Unavailable) else Unavailable(BUSY, cause=str(error))
    log.warning("request.unavailable", error=type(error).__name__, cause=outage.cause)
    return response_to(outage)


async def _handle_database_error(request: HTTPConnection, error: Exception) -> ProblemResponse:
    if is_outage(error):
        return await _handle_outage(request, error)
    raise error
