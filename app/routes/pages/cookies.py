"""The cookies of pages, which scripts cannot read, and other sites and subdomains cannot set."""

from collections.abc import Mapping

from fastapi import Response

from app.core.config import Settings

SESSION = "session"


def cookie_name(settings: Settings, name: str) -> str:
    """Return the name of a cookie.

    With the prefix, browsers require HTTPS, the path /, and exactly this host. Over plain HTTP, as
    in development, some browsers would reject such a cookie.
    """
    return f"__Host-{name}" if _is_secure(settings) else name


def read_cookie(settings: Settings, cookies: Mapping[str, str], name: str) -> str | None:
    return cookies.get(cookie_name(settings, name))


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, *, max_age: int
) -> None:
    # Lax, not strict, so that the user is logged in after a click on a link in an email. Changes
    # are POSTs, which must come from the service's own pages.
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
