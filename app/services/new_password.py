from collections.abc import Iterable

from app.core.exceptions import InvalidField
from app.core.security.breached_passwords import is_breached
from app.core.security.password_policy import check_password
from app.services.scope import Scope


async def hash_new_password(
    scope: Scope, password: str, *, about: Iterable[str | None], field: str = "password"
) -> str:
    """Check and hash a new password. Call it before the transaction's first statement.

    `about` has facts about the user that the password must not contain. Raise InvalidField for a
    weak or breached password, or PasswordsBusy.
    """
    minimum = scope.settings.password_min_length
    check_password(password, min_length=minimum, about=about, field=field)
    if await is_breached(scope.settings, password):
        raise InvalidField(field, "Password was found in a data breach. Choose another one")
    return await scope.passwords.hash(password)
