"""The user who acts, checked again in the transaction in which the effect commits.

A proof and its effect are two transactions, because no connection waits while a password is hashed.
Whatever makes the proof void in between ends the session of the user, under the same lock.
"""

from uuid import UUID

from sqlalchemy import func, select

from app.core.exceptions import BadRequest, Unauthenticated
from app.models import User, UserSession
from app.services.scope import Scope


class EmailNotConfirmed(BadRequest):
    def __init__(self) -> None:
        super().__init__("Confirm your email address first: follow the link that we sent you.")


async def lock_user(scope: Scope, user_id: UUID) -> User | None:
    """Lock a user until the commit, and return the row as it is now."""
    # "No key": rows that refer to the user can still be written.
    query = select(User).where(User.id == user_id).with_for_update(key_share=True)
    return await scope.uow.session.scalar(query.execution_options(populate_existing=True))


async def lock_actor(scope: Scope) -> User:
    """Lock the user who acts, until the commit.

    Raise Unauthenticated where the session has ended, or the user was deactivated, meanwhile.
    """
    principal = scope.principal
    user = await lock_user(scope, principal.user_id)
    if user is None or not user.is_active:
        raise Unauthenticated
    if not await has_session(scope, user.id, principal.session_id):
        raise Unauthenticated
    return user


async def has_session(scope: Scope, user_id: UUID, session_id: UUID | None) -> bool:
    """Return whether a session lives on. Lock its user first, in a statement of its own.

    This one then sees what was committed while the lock was waited for.
    """
    session = select(UserSession.id).where(
        UserSession.id == session_id,
        UserSession.user_id == user_id,
        UserSession.expires_at > func.now(),
    )
    return await scope.uow.session.scalar(session) is not None


async def lock_confirmed_actor(scope: Scope) -> User:
    """Lock the user who acts, and require a confirmed address. Raise EmailNotConfirmed.

    Anyone may sign up with an address that is not theirs. What they add would become a way into the
    account of its owner.
    """
    user = await lock_actor(scope)
    if user.email_verified_at is None:
        raise EmailNotConfirmed
    return user
