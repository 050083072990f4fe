"""A browser's refresh token, in a cookie that no script reads and no other site can use."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Cookie, Depends, Query, Response
from fastapi.requests import HTTPConnection

from app.routes.deps.same_origin import require_same_origin

NAME = "__Host-refresh_token"
"""The prefix makes browsers insist on HTTPS, on the path /, and on exactly this host."""

RefreshCookie = Annotated[str | None, Cookie(alias=NAME, max_length=128)]

BodyOrCookie = Literal["body", "cookie"]


async def _delivery(
    request: HTTPConnection,
    refresh_token: Annotated[
        BodyOrCookie,
        Query(description="Where to put the refresh token: a browser asks for a cookie"),
    ] = "body",  # noqa: S107  not a password
) -> BodyOrCookie:
    """Another site must not log a browser in: its user would write to the attacker's account."""
    if refresh_token == "cookie":  # noqa: S105  not a password
        require_same_origin(request)
    return refresh_token


TokenDelivery = Annotated[BodyOrCookie, Depends(_delivery)]


def set_refresh_cookie(response: Response, token: str, expires_at: datetime) -> None:
    response.set_cookie(
        NAME, token, expires=expires_at, path="/", secure=True, httponly=True, samesite="strict"
    )


def delete_refresh_cookie(response: Response) -> None:
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="strict")


def clear_browser(response: Response) -> None:
    """Let a browser forget the session: its cookie, and what pages of this origin have stored."""
    delete_refresh_cookie(response)
    clear_site_data(response)


def clear_site_data(response: Response) -> None:
    """Let a browser delete what pages of this origin have stored.

    The directive "cookies" is left out. It would delete those of all hosts of the domain, and the
    cookie by which we recognize the device.
    """
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
