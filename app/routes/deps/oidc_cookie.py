"""An unfinished login with a provider, in a cookie of the browser that started it."""

from typing import Annotated

from fastapi import Cookie, Response

from app.services.auth.oidc_service import AuthorizationRedirect

NAME = "__Host-oidc_login"

OidcCookie = Annotated[str | None, Cookie(alias=NAME, include_in_schema=False)]


def set_oidc_cookie(response: Response, redirect: AuthorizationRedirect) -> None:
    # Lax, not strict, because the provider's page sends the browser back to this service.
    response.set_cookie(
        NAME,
        redirect.cookie,
        max_age=redirect.lifetime,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def delete_oidc_cookie(response: Response) -> None:
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="lax")
