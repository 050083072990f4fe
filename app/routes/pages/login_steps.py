"""Redirects of pages that first require a login, its second step, or a recent proof."""

from urllib.parse import quote

from starlette.responses import Response

from app.core.exceptions import SecondFactorRequired
from app.routes.pages.cookies import set_cookie
from app.routes.pages.notices import Notice
from app.routes.pages.visit import PageVisit

SECOND_FACTOR = "/account/second-factor"
"""The page on which superusers may have to set up a second factor before they use any other."""

CHALLENGE = "login_challenge"
"""The cookie of a login whose password was correct."""


def ask_for_login(visit: PageVisit, *, back_to: str | None) -> Response:
    """Redirect to the login page, which then redirects back."""
    return visit.redirect(path_with_next("/login", back_to or "/account"), Notice.LOGIN_NEEDED)


def ask_for_proof(visit: PageVisit, *, back_to: str) -> Response:
    """Redirect to the page that asks for a recent proof, which then redirects back."""
    return visit.redirect(path_with_next("/account/confirm", back_to))


def ask_for_second_factor(
    visit: PageVisit, required: SecondFactorRequired, *, back_to: str
) -> Response:
    """Redirect to the second step of a login, with its token in a cookie."""
    by_code = "totp" in required.methods
    path = "/login/second-factor" if by_code else "/login/second-factor/passkey"
    response = visit.redirect(path_with_next(path, back_to))
    set_cookie(response, visit.settings, CHALLENGE, required.token, max_age=required.expires_in)
    return response


def path_with_next(path: str, back_to: str) -> str:
    return path if back_to == "/account" else f"{path}?next={quote(back_to)}"
