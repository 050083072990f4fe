"""The id and the log line of each request."""

import re

import structlog
from starlette.datastructures import Headers
from starlette.types import Scope
from uuid_utils import uuid7

from app.core.http.forwarded import came_from_trusted_proxy
from app.core.http.paths import is_health_check, route_template

log = structlog.stdlib.get_logger("app.http")

HEADER = "X-Request-ID"
ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


def request_id_of(scope: Scope) -> str:
    """Return the id from a trusted proxy, which spans several services, or a new one.

    A client that could choose ids could hide its requests among those of others.
    """
    if not came_from_trusted_proxy(scope):
        return uuid7().hex
    given = Headers(scope=scope).get(HEADER, "")
    return given if ACCEPTABLE_ID.fullmatch(given) else uuid7().hex


def log_request(scope: Scope, status: int | None, seconds: float) -> None:
    if status == 200 and is_health_check(scope):  # noqa: PLR2004
        return  # there is one every few seconds
    log.info(
        "request.finished",
        method=scope.get("method", "WEBSOCKET"),
        route=route_template(scope),
        status=status,
        seconds=round(seconds, 4),
    )
