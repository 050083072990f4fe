"""Finds the recipients of emails."""

from uuid import UUID

from app.models import User
from app.services.emails.draft import NothingToSend
from app.services.scope import Scope
from app.services.user_service import UserService


async def find_user(scope: Scope, user_id: UUID, *, email: str | None = None) -> User:
    """Return a user. Raise NothingToSend if the user is gone or no longer has the given email."""
    if (user := await scope.uow.session.get(User, user_id)) is None:
        raise NothingToSend("The account was deleted")
    if email is not None and user.email != email:
        raise NothingToSend("The account has another address now")
    return user


async def find_active_user(scope: Scope, email: str) -> User:
    """Return the user with an address. Raise NothingToSend if no active account has it."""
    user = await UserService(scope).find_by_email(email)
    if user is None or not user.is_active:
        raise NothingToSend("No active account has the address")
    return user
