"""A login that has begun, as the browser keeps it until the provider sends it back."""

import hmac
import time
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from typing import Annotated
from uuid import UUID

import jwt
from pydantic import Field, TypeAdapter, ValidationError

from app.core.config import Settings
from app.core.tokens import derive_key

ALGORITHM = "HS256"
AUDIENCE = "oidc login"
MAX_LENGTH = 2_048


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """`secret` never leaves the cookie; what others see of it is derived, and leads nowhere back.

    `user_id` and `session_id` say who wants a further way in; without, somebody wants to log in.
    """

    secret: Annotated[str, Field(min_length=32)]
    provider: str
    path: str
    user_id: UUID | None = None
    session_id: UUID | None = None

    @property
    def state(self) -> str:
        """What the provider must bring back: the answer is to this browser's question."""
        return self._derive("state")

    @property
    def nonce(self) -> str:
        """What the ID token must name: it was issued for this login."""
        return self._derive("nonce")

    @property
    def code_verifier(self) -> str:
        """What only we can show together with the code."""
        return self._derive("code verifier")

    def has(self, state: str | None) -> bool:
        return state is not None and hmac.compare_digest(self.state.encode(), state.encode())

    def _derive(self, purpose: str) -> str:
        digest = hmac.digest(self.secret.encode(), purpose.encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


_begun_login = TypeAdapter(BegunLogin)


def seal(settings: Settings, login: BegunLogin) -> str:
    """Sign a login for OIDC_LOGIN_LIFETIME: nobody but us can have begun it."""
    values = {name: value and str(value) for name, value in asdict(login).items()}
    claims = {
        "aud": AUDIENCE,
        "exp": int(time.time()) + settings.oidc_login_lifetime,
        "login": values,
    }
    return jwt.encode(claims, derive_key(settings, AUDIENCE), ALGORITHM)


def unseal(settings: Settings, cookie: str) -> BegunLogin | None:
    """Read a login; None stands for whatever is wrong with it."""
    if len(cookie) > MAX_LENGTH:
        return None
    try:
        claims = jwt.decode(
            cookie,
            derive_key(settings, AUDIENCE),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["aud", "exp", "login"]},
        )
        return _begun_login.validate_python(claims["login"])
    except (jwt.PyJWTError, ValidationError):
        return None
