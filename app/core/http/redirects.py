"""Redirects of paths with a missing or an extra final slash."""

from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import Match, Router
from starlette.types import Receive, Scope, Send

from app.core.http.paths import route_path

SAFE = "/!$&'()*+,;=:@"
"""The characters that a path may contain unescaped (RFC 3986, 3.3)."""


def redirect_slashes(router: Router) -> None:
    """Let a router redirect if only the final slash differs, and answer 404 otherwise.

    The redirect is relative. Starlette's own contains the scheme and the host, which may be wrong
    behind a proxy that terminates TLS.
    """
    not_found = router.default
    router.redirect_slashes = False

    async def redirect_or_not_found(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (path := _path_of_a_route(router, scope)):
            query = scope["query_string"].decode("latin-1")
            url = quote(path, safe=SAFE) + (f"?{query}" if query else "")
            await RedirectResponse(url)(scope, receive, send)
        else:
            await not_found(scope, receive, send)

    router.default = redirect_or_not_found


def _path_of_a_route(router: Router, scope: Scope) -> str | None:
    """Return the path with the final slash changed, from the client's view, if a route has it.

    A proxy may remove the prefix of `--root-path` or keep it, but the client needs it. A path that
    starts with two slashes would point to another host.
    """
    path = route_path(scope)
    changed = path.rstrip("/") if path.endswith("/") else f"{path}/"
    if not changed or changed.startswith("//"):
        return None
    seen = scope.get("root_path", "") + changed
    found = any(
        route.matches({**scope, "path": seen})[0] is not Match.NONE for route in router.routes
    )
    return seen if found else None
