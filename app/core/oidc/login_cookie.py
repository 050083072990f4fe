"""The cookie that contains the state of a login.

Signing it needs a large library. A worker needs only the state, so it does not import this module.
"""

from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from app.core.config import Settings
from app.core.oidc.login_state import LoginState
from app.core.security.signed_state import read_state, sign_state

AUDIENCE = "oidc login"


_login_state = TypeAdapter(LoginState)


def sign_login_state(settings: Settings, login: LoginState) -> str:
    """Return the signed state, which is valid for OIDC_LOGIN_LIFETIME."""
    values = {name: value and str(value) for name, value in asdict(login).items()}
    lifetime = settings.oidc_login_lifetime
    return sign_state(settings, AUDIENCE, {"login": values}, lifetime=lifetime)


def read_login_state(settings: Settings, cookie: str) -> LoginState | None:
    """Return the state, or None if the cookie is invalid."""
    state = read_state(settings, AUDIENCE, cookie)
    try:
        return None if state is None else _login_state.validate_python(state.get("login"))
    except ValidationError:
        return None
