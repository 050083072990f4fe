"""A browser's refresh token: in a cookie that no script reads and that no other site sends."""

from datetime import datetime
from typing import Annotated

from fastapi import Cookie, Response

NAME = "__Host-refresh_token"
"""The prefix makes browsers insist on HTTPS, on the path / and on this very host."""

RefreshCookie = Annotated[str | None, Cookie(alias=NAME, max_length=128)]


def set_refresh_cookie(response: Response, token: str, expires_at: datetime) -> None:
    response.set_cookie(
        NAME, token, expires=expires_at, path="/", secure=True, httponly=True, samesite="strict"
    )


def delete_refresh_cookie(response: Response) -> None:
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="strict")
