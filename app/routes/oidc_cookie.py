"""A login with a provider that has begun, in the browser that began it."""

from typing import Annotated

from fastapi import Cookie, Response

from app.services.oidc_service import Beginning

NAME = "__Host-oidc_login"

OidcCookie = Annotated[str | None, Cookie(alias=NAME, include_in_schema=False)]


def set_oidc_cookie(response: Response, beginning: Beginning) -> None:
    # Lax and not strict: the provider's page sends the browser back to us.
    response.set_cookie(
        NAME,
        beginning.cookie,
        max_age=beginning.lifetime,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def delete_oidc_cookie(response: Response) -> None:
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="lax")
