"""What a page answers where a login, or its second step, has to come first."""

from urllib.parse import quote

from starlette.responses import Response

from app.core.exceptions import SecondFactorRequired
from app.routes.pages.cookies import set_cookie
from app.routes.pages.notices import Notice
from app.routes.pages.visit import PageVisit

SECOND_FACTOR = "/account/second-factor"
"""Superusers may have to set up a second factor here before they see any other page."""

CHALLENGE = "login_challenge"
"""The cookie of a login whose password was right."""


def ask_for_login(visit: PageVisit, *, back_to: str | None) -> Response:
    """Send the browser to the login page, which leads back to a page."""
    return visit.redirect(path_with_next("/login", back_to or "/account"), Notice.LOGIN_NEEDED)


def ask_for_proof(visit: PageVisit, *, back_to: str) -> Response:
    """Let the user prove again who they are. That page leads back to the page that needs it."""
    return visit.redirect(path_with_next("/account/confirm", back_to))


def ask_for_second_factor(
    visit: PageVisit, required: SecondFactorRequired, *, back_to: str
) -> Response:
    """Send the browser to the second step of a login, with its token in a cookie."""
    by_code = "totp" in required.methods
    path = "/login/second-factor" if by_code else "/login/second-factor/passkey"
    response = visit.redirect(path_with_next(path, back_to))
    set_cookie(response, visit.settings, CHALLENGE, required.token, max_age=required.expires_in)
    return response


def path_with_next(path: str, back_to: str) -> str:
    return path if back_to == "/account" else f"{path}?next={quote(back_to)}"
