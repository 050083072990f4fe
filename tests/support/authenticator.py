"""An authenticator app, as it is on the user's phone."""

from base64 import b32decode
from dataclasses import dataclass

from app.core.resources import Resources
from app.core.security.encryption import encrypt
from app.core.security.totp import code_at, current_step, new_secret
from app.services.auth.recovery_code_service import CODE_COUNT, hash_code, new_code
from app.services.auth.totp_service import PURPOSE
from tests.support.accounts import Person

_ENROLL = """
WITH factor AS (
  INSERT INTO totp_factors (user_id, sealed_secret, confirmed_at) VALUES ($1, $2, now())
)
INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($3::bytea[])
"""


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
    secret, codes = new_secret(), [new_code() for _ in range(CODE_COUNT)]
    sealed = encrypt(resources.settings, PURPOSE, secret, owner=person.id)
    hashes = [hash_code(code) for code in codes]
    await resources.database.fetch(_ENROLL, [person.id, sealed, hashes])
    return Authenticator(secret, codes)
