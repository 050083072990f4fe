"""A browser's refresh token: in a cookie that no script reads and that no other site sends."""

from datetime import datetime
from typing import Annotated

from fastapi import Cookie, Depends, Request, Response

from app.core.exceptions import Forbidden
from app.routes.deps import CurrentSettings

NAME = "__Host-refresh_token"
"""The prefix makes browsers insist on HTTPS, on the path / and on this very host."""


class ForeignOrigin(Forbidden):
    def __init__(self) -> None:
        super().__init__("This origin may not use the cookie")


def set_refresh_cookie(response: Response, token: str, expires_at: datetime) -> None:
    response.set_cookie(
        NAME, token, expires=expires_at, path="/", secure=True, httponly=True, samesite="strict"
    )


def delete_refresh_cookie(response: Response) -> None:
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="strict")


async def get_own_refresh_cookie(
    request: Request,
    settings: CurrentSettings,
    cookie: Annotated[str | None, Cookie(alias=NAME, max_length=128)] = None,
) -> str | None:
    """Let the cookie count for our own pages only. Raises ForeignOrigin.

    Browsers tell the origin with every POST; a program, which has nobody's cookies, need not.
    """
    origin = request.headers.get("origin")
    own = str(settings.public_url).rstrip("/")
    if cookie is not None and origin is not None and origin not in {own, *settings.cors_origins}:
        raise ForeignOrigin
    return cookie


OwnRefreshCookie = Annotated[str | None, Depends(get_own_refresh_cookie)]
