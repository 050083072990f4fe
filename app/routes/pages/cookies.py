"""The cookies of pages. No script reads them, and no other site and no subdomain can set them."""

from collections.abc import Mapping

from fastapi import Response

from app.core.config import Settings

SESSION = "session"


def cookie_name(settings: Settings, name: str) -> str:
    """Return the name of a cookie.

    With the prefix, browsers insist on HTTPS, on the path /, and on exactly this host. Over plain
    HTTP, as in development, some browsers would reject such a cookie.
    """
    return f"__Host-{name}" if _is_secure(settings) else name


def read_cookie(settings: Settings, cookies: Mapping[str, str], name: str) -> str | None:
    return cookies.get(cookie_name(settings, name))


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, *, max_age: int
) -> None:
    # Lax and not strict: a link in an email must find the user logged in. Changes are POSTs, which
    # have to come from our own pages.
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=max_age,
        path="/",
        secure=_is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def delete_cookie(response: Response, settings: Settings, name: str) -> None:
    response.delete_cookie(
        cookie_name(settings, name),
        path="/",
        secure=_is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def _is_secure(settings: Settings) -> bool:
    return settings.public_url.scheme == "https"
