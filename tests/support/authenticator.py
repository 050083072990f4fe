"""An authenticator app, as it is on the user's phone."""

from base64 import b32decode
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.resources import Resources
from app.core.security.encryption import encrypt
from app.core.security.totp import code_at, current_step, new_secret
from app.models import TotpFactor
from app.services.auth.recovery_code_service import RecoveryCodeService
from app.services.auth.totp_service import PURPOSE
from app.services.scope import Scope
from tests.support.accounts import Person, open_anonymous_scope


@dataclass(frozen=True)
class Authenticator:
    secret: bytes
    recovery_codes: list[str]

    def code(self, *, later: int = 0) -> str:
        """Return the current code, or the code some steps later."""
        return code_at(self.secret, current_step() + later)

    @property
    def wrong_code(self) -> str:
        """Return a code that is wrong now and in the steps around now."""
        near = {self.code(later=steps) for steps in range(-3, 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)


def read_secret(text: str) -> Authenticator:
    """Return an app with a secret that is given as text."""
    return Authenticator(b32decode(text), [])


async def enroll_authenticator(resources: Resources, person: Person) -> Authenticator:
    """Give a user a second factor whose codes are all unused."""
    async with open_anonymous_scope(resources) as scope:
        return await add_authenticator(scope, person)


async def add_authenticator(scope: Scope, person: Person) -> Authenticator:
    """Give a user a second factor in a transaction of the caller."""
    secret = new_secret()
    sealed = encrypt(scope.settings, PURPOSE, secret, owner=person.id)
    scope.uow.session.add(
        TotpFactor(user_id=person.id, encrypted_secret=sealed, confirmed_at=datetime.now(UTC))
    )
    codes = await RecoveryCodeService(scope).renew(person.id)
    return Authenticator(secret, codes)
