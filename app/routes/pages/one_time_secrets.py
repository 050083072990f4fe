"""Secrets that one page creates and the next page shows: a key, recovery codes, an app's secret.

The redirect between the pages sets them in an encrypted cookie for the same session. For some
minutes, reload and the back button show them again. The service itself stores only hashes.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from starlette.responses import Response

from app.core.security.encryption import DecryptionFailed, decrypt, encrypt
from app.routes.pages.cookies import delete_cookie, read_cookie, set_cookie
from app.routes.pages.visit import PageVisit
from app.services.scope import Scope

LIFETIME = 600
"""In seconds. It is long enough to install an authenticator app."""


def set_secret(
    response: Response, visit: PageVisit, scope: Scope, *, name: str, secret: str
) -> None:
    """Set the cookie of a secret for the next page."""
    encrypted = encrypt(visit.settings, _purpose(name), secret.encode(), owner=_session_id(scope))
    value = urlsafe_b64encode(encrypted).decode()
    set_cookie(response, visit.settings, name, value, max_age=LIFETIME)


def read_secret(visit: PageVisit, scope: Scope, *, name: str) -> str | None:
    """Return a secret, or None if it has expired, is of another session, or is invalid."""
    value = read_cookie(visit.settings, visit.request.cookies, name)
    if value is None:
        return None
    try:
        encrypted = urlsafe_b64decode(value)
        found = decrypt(visit.settings, _purpose(name), encrypted, owner=_session_id(scope))
        return found.secret.decode()
    except (DecryptionFailed, ValueError):
        return None


def delete_secret(response: Response, visit: PageVisit, *, name: str) -> None:
    delete_cookie(response, visit.settings, name)


def _purpose(name: str) -> str:
    return f"page {name}"


def _session_id(scope: Scope) -> UUID:
    session_id = scope.principal.session_id
    assert session_id is not None
    return session_id
