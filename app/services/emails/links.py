"""Builds the links in emails, from settings alone: a Host header would let others choose the site.

The token of a link is created while its email is written, and only the email contains it. A job
that is tried again creates another, which replaces the first.
"""

from datetime import UTC, datetime

from app.models import Purpose, User
from app.services.auth.email_token_service import EmailTokenService
from app.services.scope import Scope


def page_link(scope: Scope, page: str = "") -> str:
    """Return the address of a page of the front end, or of PUBLIC_URL where there is none."""
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
    """Return a link that says "this wasn't me"."""
    return _with_token(scope, "report-takeover", token)


async def password_link(scope: Scope, user: User, *, lifetime: int) -> str:
    """Return a link that lets the user choose a password, for `lifetime` seconds."""
    token = await _issue(scope, user, Purpose.RESET_PASSWORD, user.email, lifetime)
    return _with_token(scope, "reset-password", token)


async def personal_data_link(scope: Scope, user: User, *, lifetime: int) -> str:
    """Return a link to the user's archive. It leads to the service, which needs no page for it."""
    token = await _issue(scope, user, Purpose.PERSONAL_DATA, user.email, lifetime)
    site = str(scope.settings.public_url).rstrip("/")
    return f"{site}/api/v1/personal-data?token={token}"


async def _issue(scope: Scope, user: User, purpose: Purpose, email: str, lifetime: int) -> str:
    tokens = EmailTokenService(scope)
    return await tokens.issue(user.id, purpose, email=email, lifetime=lifetime)


def _with_token(scope: Scope, page: str, token: str) -> str:
    return f"{page_link(scope, page)}?token={token}"
