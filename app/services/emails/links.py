"""Builds the links in emails from settings. With the Host header, a client could choose the site.

The token of a link is created when its email is rendered, and only the email contains it. A retried
job creates another token, which replaces the first.
"""

from datetime import UTC, datetime

from app.models import Purpose, User
from app.services.auth.email_token_service import EmailTokenService
from app.services.scope import Scope


def page_link(scope: Scope, page: str = "") -> str:
    """Return the URL of a page, on FRONT_END_URL or else on PUBLIC_URL."""
    site = str(scope.settings.front_end_url or scope.settings.public_url)
    return f"{site.rstrip('/')}/{page}"


async def verification_link(scope: Scope, user: User) -> str:
    """Return a link that confirms the user's address."""
    lifetime = scope.settings.verification_link_lifetime
    token = await _issue(scope, user, Purpose.VERIFY_EMAIL, user.email, lifetime)
    return _with_token(scope, "verify-email", token)


async def new_email_link(scope: Scope, user: User, new_email: str, expires_at: datetime) -> str:
    """Return a link that confirms a new address and makes it the user's, until it expires."""
    lifetime = int((expires_at - datetime.now(UTC)).total_seconds())
    token = await _issue(scope, user, Purpose.CHANGE_EMAIL, new_email, lifetime)
    return _with_token(scope, "verify-email", token)


def report_link(scope: Scope, token: str) -> str:
    """Return the "this wasn't me" link of an alert."""
    return _with_token(scope, "report-takeover", token)


async def password_link(scope: Scope, user: User, *, lifetime: int) -> str:
    """Return a link that lets the user choose a password, for `lifetime` seconds."""
    token = await _issue(scope, user, Purpose.RESET_PASSWORD, user.email, lifetime)
    return _with_token(scope, "reset-password", token)


async def personal_data_link(scope: Scope, user: User, *, lifetime: int) -> str:
    """Return a link to the user's archive. It points to the API, because it needs no page."""
    token = await _issue(scope, user, Purpose.PERSONAL_DATA, user.email, lifetime)
    site = str(scope.settings.public_url).rstrip("/")
    return f"{site}/api/v1/personal-data?token={token}"


async def _issue(scope: Scope, user: User, purpose: Purpose, email: str, lifetime: int) -> str:
    tokens = EmailTokenService(scope)
    return await tokens.issue(user.id, purpose, email=email, lifetime=lifetime)


def _with_token(scope: Scope, page: str, token: str) -> str:
    return f"{page_link(scope, page)}?token={token}"
