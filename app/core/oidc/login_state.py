"""The state of a login with a provider. A cookie contains it until the provider redirects back."""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field


@dataclass(frozen=True, slots=True)
class LoginState:
    """The state of a login. Only the cookie contains the secret; all other values derive from it.

    `user_id` and `session_id` are set if a user links the provider to an account. With `for_pages`,
    the login began on an account page and ends there, not at FRONT_END_URL.
    """

    secret: Annotated[str, Field(min_length=32)]
    provider: str
    path: str
    user_id: UUID | None = None
    session_id: UUID | None = None
    for_pages: bool = False

    @property
    def state(self) -> str:
        """The value that the provider must return, which binds the response to this browser."""
        return self._derive("state")

    @property
    def nonce(self) -> str:
        """The value that the ID token must contain, which binds the token to this login."""
        return self._derive("nonce")

    @property
    def code_verifier(self) -> str:
        """The code verifier of PKCE, which binds the code to this login."""
        return self._derive("code verifier")

    def has(self, state: str | None) -> bool:
        return state is not None and hmac.compare_digest(self.state.encode(), state.encode())

    def _derive(self, purpose: str) -> str:
        digest = hmac.digest(self.secret.encode(), purpose.encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()
