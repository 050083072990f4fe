"""Routes that act on a cookie: a browser sends it along whoever made it call."""

from fastapi import Depends, HTTPException, Request, status
from starlette.datastructures import Headers

from app.core.config import Settings
from app.routes.deps import OpenResources


async def require_same_origin(request: Request, resources: OpenResources) -> None:
    """Refuse, with 403, calls that another site's page has made a browser send."""
    if not is_ours(request.headers, resources.settings):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Requests from this origin are refused")


SameOrigin = Depends(require_same_origin)
"""For `dependencies=[SameOrigin]` of a route or a router that reads a cookie."""


def is_ours(headers: Headers, settings: Settings) -> bool:
    """Tell whether a call comes from our own pages, a listed front end, or no browser at all.

    Browsers write both headers themselves: no page can forge or suppress them. Old ones and pages
    on plain http send `Origin` only; a program sends neither, and has no cookies but its own.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site in {"same-origin", "none"} or (site is None and origin is None):
        return True
    return origin in trusted_origins(settings)


def trusted_origins(settings: Settings) -> set[str]:
    """List where our pages live: PUBLIC_URL, and the front ends that may send cookies."""
    front_ends = settings.cors_origins if settings.cors_credentials else []
    return {settings.public_origin, *front_ends} - {"*"}
