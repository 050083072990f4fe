"""CSRF protection of routes that use a cookie, which browsers also send for other sites' pages."""

from fastapi import Depends, HTTPException, status
from fastapi.requests import HTTPConnection
from starlette.datastructures import Headers

from app.core.config import Settings
from app.routes.deps.request import resources_of


def require_same_origin(request: HTTPConnection) -> None:
    """Reject a request that a page of another site has caused, with 403."""
    if not is_same_origin(request.headers, resources_of(request).settings):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Requests from this origin are refused")


async def _require_same_origin(request: HTTPConnection) -> None:
    require_same_origin(request)  # FastAPI would run a plain function in a thread


SameOrigin = Depends(_require_same_origin)
"""For `dependencies=[SameOrigin]` of a route or a router that reads or sets a cookie."""


async def _require_own_pages(request: HTTPConnection) -> None:
    headers, settings = request.headers, resources_of(request).settings
    is_visit = request.scope["method"] == "GET" and "origin" not in headers
    if not is_visit and not is_same_origin(headers, settings, front_ends=False):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Requests from this origin are refused")


OwnPages = Depends(_require_own_pages)
"""For the pages: links on other sites may open them, but their scripts and forms may not use them.

This includes listed front ends. They have the API, and a page shows data that scripts must not get.
"""


def is_same_origin(headers: Headers, settings: Settings, *, front_ends: bool = True) -> bool:
    """Return whether a request comes from this service's pages, a listed front end, or no browser.

    Browsers set both headers, and no page can forge or remove them. Old browsers, and pages over
    plain HTTP, send only `Origin`. A program sends neither, and only its own cookies.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site in {"same-origin", "none"} or (site is None and origin is None):
        return True
    return origin in (trusted_origins(settings) if front_ends else {settings.public_origin})


def trusted_origins(settings: Settings) -> set[str]:
    """Return the trusted origins: PUBLIC_URL, and the front ends that may send cookies."""
    front_ends = settings.cors_origins if settings.cors_credentials else []
    return {settings.public_origin, *front_ends} - {"*"}
