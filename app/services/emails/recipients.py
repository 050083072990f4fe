"""Finds the users whom emails are for."""

from uuid import UUID

from app.models import User
from app.services.emails.draft import NothingToSend
from app.services.scope import Scope
from app.services.user_service import UserService


async def find_user(scope: Scope, user_id: UUID, *, email: str | None = None) -> User:
    """Return a user, who still has an address if one is given. Raise NothingToSend otherwise."""
    if (user := await scope.uow.session.get(User, user_id)) is None:
        raise NothingToSend("The account was deleted")
    if email is not None and user.email != email:
        raise NothingToSend("The account has another address now")
    return user


async def find_active_user(scope: Scope, email: str) -> User:
    """Return the user with an address. Raises NothingToSend where no active account has it."""
    user = await UserService(scope).find_by_email(email)
    if user is None or not user.is_active:
        raise NothingToSend("No active account has the address")
    return user
