"""An authenticator app, as it is on somebody's phone."""

from base64 import b32decode
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.resources import Resources
from app.core.sealing import seal
from app.core.totp import code_of, current_step, new_secret
from app.models import TotpFactor
from app.services.recovery_code_service import RecoveryCodeService
from app.services.totp_service import PURPOSE
from tests.accounts import Person


@dataclass(frozen=True)
class Authenticator:
    secret: bytes
    recovery_codes: list[str]

    def code(self, *, later: int = 0) -> str:
        """Show the code of now, or of some steps later."""
        return code_of(self.secret, current_step() + later)

    @property
    def wrong_code(self) -> str:
        """A code of no step near to now."""
        near = {self.code(later=steps) for steps in range(-3, 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)


def read_secret(text: str) -> Authenticator:
    """Type a secret into an app."""
    return Authenticator(b32decode(text), [])


async def set_up_app(resources: Resources, person: Person) -> Authenticator:
    """Give somebody a second factor of which no code was used yet."""
    secret = new_secret()
    async with resources.unit_of_work() as uow:
        sealed = seal(resources.settings, PURPOSE, secret, owner=person.id)
        uow.session.add(
            TotpFactor(user_id=person.id, sealed_secret=sealed, confirmed_at=datetime.now(UTC))
        )
        codes = await RecoveryCodeService(uow).renew(person.id)
    return Authenticator(secret, codes)
