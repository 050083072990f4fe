"""Checks of the acting user in the transaction that commits the effect.

A password is verified before that transaction starts, because hashing must not hold a connection.
Anything that invalidates the proof in between also ends the user's session, under the same lock.
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
    """Lock a user until the commit, and return the current row."""
    # FOR NO KEY UPDATE: other transactions can still insert rows that refer to the user.
    query = select(User).where(User.id == user_id).with_for_update(key_share=True)
    return await scope.uow.session.scalar(query.execution_options(populate_existing=True))


async def lock_actor(scope: Scope) -> User:
    """Lock the acting user until the commit.

    Raise Unauthenticated if the session has ended or the user was deactivated in the meantime.
    """
    principal = scope.principal
    user = await lock_user(scope, principal.user_id)
    if user is None or not user.is_active:
        raise Unauthenticated
    if not await is_session_live(scope, user.id, principal.session_id):
        raise Unauthenticated
    return user


async def is_session_live(scope: Scope, user_id: UUID, session_id: UUID | None) -> bool:
    """Return whether a session is still live. Lock its user first, in a separate statement.

    This statement then sees everything that was committed while that one waited for the lock.
    """
    session = select(UserSession.id).where(
        UserSession.id == session_id,
        UserSession.user_id == user_id,
        UserSession.expires_at > func.now(),
    )
    return await scope.uow.session.scalar(session) is not None


async def lock_confirmed_actor(scope: Scope) -> User:
    """Lock the acting user, and require a confirmed address. Raise EmailNotConfirmed.

    An attacker can sign up with an address of another person. A credential added before the
    confirmation would let the attacker into the account after its owner has confirmed the address.
    """
    user = await lock_actor(scope)
    if user.email_verified_at is None:
        raise EmailNotConfirmed
    return user
