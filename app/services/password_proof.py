from app.core.exceptions import Refused
from app.core.resources import Resources
from app.core.security import verify_password
from app.core.throttle import Attempt
from app.models import User
from app.services.audit import Caller


class IncorrectPassword(Refused):
    def __init__(self) -> None:
        super().__init__("Incorrect password")


async def prove_password(resources: Resources, caller: Caller, user: User, password: str) -> None:
    """Have users prove within a session that it is still they who act.

    Raises IncorrectPassword, and TooManyAttempts: whoever has a session may not guess either.
    """
    attempt = Attempt("password", caller.address, str(user.id))
    await resources.throttle.check(attempt)
    if not (await verify_password(password, user.password_hash)).right:
        await resources.throttle.count(attempt)
        raise IncorrectPassword
    await resources.throttle.check(attempt)
