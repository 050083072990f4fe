"""Login methods of a user: a password, passkeys, and identities."""

from sqlalchemy import func, select, union_all

from app.core.exceptions import Conflict
from app.models import Identity, Passkey, User
from app.services.scope import Scope


class LastLoginMethod(Conflict):
    def __init__(self) -> None:
        super().__init__(
            "This is the only way to log in to your account. Set a password first: request a link "
            "that recovers it."
        )


async def check_is_not_last_login_method(scope: Scope, user: User) -> None:
    """Raise LastLoginMethod if a passkey or an identity is the only way to log in.

    The caller has locked the user.
    """
    if user.password_hash is not None:
        return
    methods = union_all(
        select(Passkey.id).where(Passkey.user_id == user.id),
        select(Identity.id).where(Identity.user_id == user.id),
    ).subquery()
    if await scope.uow.session.scalar(select(func.count()).select_from(methods)) == 1:
        raise LastLoginMethod
