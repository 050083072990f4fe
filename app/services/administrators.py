"""Locks for changes by administrators: if two act at once, the second sees the first's changes."""

from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from app.core.exceptions import Conflict
from app.models import User
from app.services.auth.actor import is_session_live
from app.services.auth.principal import NotEnoughPrivileges
from app.services.scope import Scope
from app.services.user_service import UserNotFound


class LastSuperuser(Conflict):
    def __init__(self) -> None:
        super().__init__(
            "This is the only active superuser, and accounts cannot be managed without one. "
            "Make another user a superuser first."
        )


async def lock_account(scope: Scope, user_id: UUID, *, keeps_superuser: bool) -> User:
    """Lock an account and all superusers until the commit, and return the account.

    Raise NotEnoughPrivileges if the acting superuser was demoted, deactivated, logged out, or
    deleted in the meantime. Raise LastSuperuser if the change would leave no active superuser, or
    UserNotFound.
    """
    accounts = await _lock(scope, or_(User.is_superuser, User.id == user_id))
    if not keeps_superuser and _superusers(accounts) == {user_id}:
        raise LastSuperuser
    if user_id not in accounts:
        raise UserNotFound
    return accounts[user_id]


async def lock_administrators(scope: Scope) -> None:
    """Lock all superusers until the commit, for a change that affects no single account.

    Raise NotEnoughPrivileges for the same reasons as `lock_account`.
    """
    await _lock(scope, User.is_superuser.is_(True))


async def _lock(scope: Scope, condition: ColumnElement[bool]) -> dict[UUID, User]:
    # The order prevents a deadlock of two administrators who change each other's accounts.
    query = select(User).where(condition).order_by(User.id).with_for_update(key_share=True)
    rows = await scope.uow.session.scalars(query.execution_options(populate_existing=True))
    accounts = {user.id: user for user in rows}
    await _check_actor(scope, _superusers(accounts))
    return accounts


def _superusers(accounts: dict[UUID, User]) -> set[UUID]:
    return {user.id for user in accounts.values() if user.is_superuser and user.is_active}


async def _check_actor(scope: Scope, superusers: set[UUID]) -> None:
    if scope.actor is None:  # an operator on the command line
        return
    if scope.actor.user_id not in superusers:
        raise NotEnoughPrivileges
    if not await is_session_live(scope, scope.actor.user_id, scope.actor.session_id):
        raise NotEnoughPrivileges
