"""The refresh token of a browser, in a cookie that scripts and other sites cannot use."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Cookie, Depends, Query, Response
from fastapi.requests import HTTPConnection

from app.routes.deps.same_origin import require_same_origin

NAME = "__Host-refresh_token"
"""With this prefix, browsers require HTTPS, the path /, and exactly this host."""

RefreshCookie = Annotated[str | None, Cookie(alias=NAME, max_length=128)]

BodyOrCookie = Literal["body", "cookie"]


async def _delivery(
    request: HTTPConnection,
    refresh_token: Annotated[
        BodyOrCookie,
        Query(description="Where to put the refresh token. Browsers use a cookie"),
    ] = "body",  # noqa: S107  not a password
) -> BodyOrCookie:
    """Require the same origin for a cookie.

    Otherwise, another site could log a browser in to an attacker's account, and the user would
    enter data there.
    """
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
    """Make a browser delete the session's cookie and the data that pages of this origin stored."""
    delete_refresh_cookie(response)
    clear_site_data(response)


def clear_site_data(response: Response) -> None:
    """Make a browser delete the data that pages of this origin have stored.

    The directive "cookies" is not used, because it would delete the cookies of all hosts of the
    domain, including the cookie of the device.
    """
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
