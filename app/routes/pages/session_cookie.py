"""The session cookie of the pages."""

from datetime import UTC, datetime

from starlette.responses import Response

from app.routes.deps.device_cookie import set_device_cookie
from app.routes.deps.refresh_cookie import clear_site_data
from app.routes.pages.cookies import SESSION, delete_cookie, read_cookie, set_cookie
from app.routes.pages.visit import PageVisit
from app.services.auth.session_service import Tokens


def read_session(visit: PageVisit) -> str | None:
    return read_cookie(visit.settings, visit.request.cookies, SESSION)


def start_session(response: Response, visit: PageVisit, tokens: Tokens) -> None:
    """Set the refresh token of a login as the session cookie. Pages never exchange it.

    A new device also gets its own cookie, which identifies it after a logout.
    """
    lifetime = tokens.expires_at - datetime.now(UTC)
    max_age = int(lifetime.total_seconds())
    set_cookie(response, visit.settings, SESSION, tokens.refresh_token, max_age=max_age)
    if tokens.device is not None:
        set_device_cookie(response, tokens.device)


def end_session(response: Response, visit: PageVisit) -> None:
    """Delete the session cookie and the browser's cache."""
    delete_cookie(response, visit.settings, SESSION)
    clear_site_data(response)
