from pydantic import SecretStr
from sqlalchemy import bindparam, select

from app.core.exceptions import BadRequest
from app.core.security.attempts import Action, Attempt
from app.models import User
from app.services.scope import Scope

RECENT_MINUTES = 5
"""A proof replaces the password in a request for this long."""

_PASSWORD_HASH = select(User.password_hash).where(User.id == bindparam("user_id"))


class IncorrectPassword(BadRequest):
    def __init__(self) -> None:
        super().__init__("Incorrect password")


async def reauthenticate(scope: Scope, password: SecretStr | None) -> None:
    """Check the user's password, or require a recent proof if the request has no password.

    Raise RecentProofRequired, IncorrectPassword, or TooManyAttempts. The attempts are limited,
    because the holder of a stolen session may guess the password.
    """
    if password is None or not scope.principal.has_password:
        scope.principal.require_recent_proof(minutes=RECENT_MINUTES)
    else:
        await verify_password(scope, password.get_secret_value())


async def verify_password(scope: Scope, password: str) -> None:
    """Check the password of the acting user without holding a connection.

    Raise IncorrectPassword or TooManyAttempts.
    """
    user_id = scope.principal.user_id
    attempt = Attempt(Action.PASSWORD, scope.request.ip_address, str(user_id))
    async with scope.throttle.guess(attempt):
        password_hash = await scope.reader.scalar(_PASSWORD_HASH, user_id=user_id)
        if not (await scope.passwords.verify(password, password_hash)).valid:
            raise IncorrectPassword
