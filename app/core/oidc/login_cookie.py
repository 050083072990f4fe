"""The cookie in which a browser keeps the state of its login.

Signing it takes a large library. A worker, which needs only the state, does not load this module.
"""

from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from app.core.config import Settings
from app.core.oidc.login_state import LoginState
from app.core.security.signed_state import read_state, sign_state

AUDIENCE = "oidc login"


_login_state = TypeAdapter(LoginState)


def sign_login_state(settings: Settings, login: LoginState) -> str:
    """Sign the state for OIDC_LOGIN_LIFETIME: only we can have issued it."""
    values = {name: value and str(value) for name, value in asdict(login).items()}
    lifetime = settings.oidc_login_lifetime
    return sign_state(settings, AUDIENCE, {"login": values}, lifetime=lifetime)


def read_login_state(settings: Settings, cookie: str) -> LoginState | None:
    """Return the state; None if the cookie is invalid in any way."""
    state = read_state(settings, AUDIENCE, cookie)
    try:
        return None if state is None else _login_state.validate_python(state.get("login"))
    except ValidationError:
        return None
