"""Flat routes. FastAPI nests included routers, and matches a request at each level."""

from collections import defaultdict
from collections.abc import Callable
from enum import Enum
from itertools import takewhile
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.http.direct import TELEMETRY, DirectEndpoint, is_direct
from app.core.http.lazy_route import LazyRoute
from app.core.http.paths import route_path

Key = tuple[str | int, ...]
Endpoint = TypeVar("Endpoint", bound=Callable[[], object])

_constant: set[Callable[..., object]] = set()


def constant(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint whose result is the same for every request.

    It is called once, at the first request. It has no parameters and is not a coroutine. Requests
    bypass FastAPI.
    """
    _constant.add(endpoint)
    return endpoint


class FlatRoute(LazyRoute):
    """A route that compares the start of a path before it matches the regular expression."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        constant, parameter, _ = self.path_format.partition("{")
        path: str = scope["path"]
        if constant not in path or not (parameter or path.endswith(constant)):
            return Match.NONE, {}
        return super().matches(scope)

    def _around(self, app: ASGIApp) -> ASGIApp:
        """Return a DirectEndpoint if possible, or else FastAPI's application."""
        if self.endpoint in _constant:
            return JSONResponse(self.endpoint())
        fallback = AsyncExitStackMiddleware(app)  # FastAPI closes uploaded files with it
        return DirectEndpoint(self, fallback) if is_direct(self) else fallback


class RouteIndex:
    """Finds routes by the method, the number of segments, and the first segments of a request.

    The routes with the same key are matched in their order. If none matches, the router handles the
    request, and matches all routes.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._app = AsyncExitStackMiddleware(router.middleware_stack)
        self._routes = defaultdict[Key, list[FlatRoute]](list)
        requested = (each for each in router.routes if not isinstance(each, APIWebSocketRoute))
        for route in takewhile(_can_be_indexed, requested):
            assert isinstance(route, FlatRoute)
            for method in route.methods or ():
                self._routes[_key(method, route.path_format)].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and TELEMETRY not in scope:
            for route in self._routes.get(_key(scope["method"], route_path(scope)), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found, router=self._router)
                    await route.app(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class Declaration(APIRoute):
    """A declared route. It is built when it is included, because the prefix is known then."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  FastAPI's own
        self.path, self.endpoint, self.options = path, endpoint, options

    def build(self, prefix: str, app: FastAPI) -> FlatRoute:
        """Return the route of an application."""
        changed = {
            "responses": {**app.router.responses, **self.options["responses"]},
            "generate_unique_id_function": app.router.generate_unique_id_function,
            "dependency_overrides_provider": app,
        }
        return FlatRoute(prefix + self.path, self.endpoint, **self.options | changed)


class Router(APIRouter):
    """A router for `include_flat`."""

    def __init__(self, *, prefix: str = "", tags: list[str | Enum] | None = None) -> None:
        super().__init__(prefix=prefix, tags=tags, route_class=Declaration)


def include_flat(app: FastAPI, router: Router, *, prefix: str = "") -> None:
    """Add the routes of a router to an application, as `app.include_router` does, but not nested.

    Raises TypeError if a route was not declared with Router.
    """
    for route in router.routes:
        if isinstance(route, APIWebSocketRoute):
            app.add_api_websocket_route(
                prefix + route.path, route.endpoint, route.name, dependencies=route.dependencies
            )
        elif isinstance(route, Declaration):
            app.router.routes.append(route.build(prefix, app))
        else:
            raise TypeError(f"{route}: declare it with app.core.http.routing.Router, not APIRouter")


def _can_be_indexed(route: BaseRoute) -> bool:
    """Return whether the first segments of a route's path and the number of segments are fixed."""
    if not isinstance(route, FlatRoute):
        return False
    start = "/".join(route.path_format.split("/")[:4])
    return "{" not in start and ":path}" not in route.path


def _key(method: str, path: str) -> Key:
    """Return the method, the number of segments, and the first three, such as `/api/v1/users`."""
    segments = path.split("/")
    return method, len(segments), *segments[:4]
