"""Dependencies for all routes: the scope of a request without a login, and pagination."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Query, Request
from fastapi.params import Depends as Dependency
from fastapi.requests import HTTPConnection

from app.core.config import Settings
from app.core.resources import Resources
from app.routes.deps.device_cookie import device_of
from app.services.auth.principal import Principal
from app.services.scope import RequestInfo, Scope, open_scope

MAX_SKIP = 10_000_000
"""PostgreSQL reads all skipped rows, so a larger offset is an attack or a mistake."""

MAX_USER_AGENT = 255

Skip = Annotated[int, Query(ge=0, le=MAX_SKIP, description="How many to leave out")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to return")]


def resources_of(request: HTTPConnection) -> Resources:
    resources = request.scope["state"]["resources"]
    assert isinstance(resources, Resources)
    return resources


def open_request_scope(
    request: HTTPConnection, actor: Principal | None = None, *, autocommits: bool = False
) -> Scope:
    """Return the scope of a request, which `async with` opens."""
    resources = resources_of(request)
    info = _request_info(request, resources.settings)
    return open_scope(resources, info, actor, autocommits=autocommits)


def scope_dependency(opened: Callable[[Request], AsyncIterator[Scope]]) -> Dependency:
    """Return a dependency of routes on a scope.

    With the scope "function", FastAPI commits before it sends the response, not after it.
    """
    return Dependency(opened, scope="function")


async def _open_anonymous_scope(request: HTTPConnection) -> AsyncIterator[Scope]:
    async with open_request_scope(request) as scope:
        yield scope


AnonymousScope = Annotated[Scope, scope_dependency(_open_anonymous_scope)]
"""For routes that work without a login."""


def _request_info(request: HTTPConnection, settings: Settings) -> RequestInfo:
    user_agent = request.headers.get("user-agent", "").replace("\x00", "")
    return RequestInfo(
        _ip_address(request, settings), user_agent[:MAX_USER_AGENT], device_of(request)
    )


def _ip_address(request: HTTPConnection, settings: Settings) -> str:
    client = request.client
    if client is None:
        return "unknown"
    if client.port == 0 and not settings.trusted_proxies:
        # Without --no-proxy-headers, uvicorn trusts the X-Forwarded-For header of processes on
        # this machine, and sets no port. The settings do not trust that header.
        return "127.0.0.1"
    return client.host.partition("%")[0]  # without the zone of a link-local address
