"""The end of an account: at once by an administrator, after a time to return by its user."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.models import Alert, User
from app.schemas.jobs import SendAccountDeleted
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.revocation import Event, end_credentials
from app.services.scope import Scope

OpenScope = Callable[[], AbstractAsyncContextManager[Scope]]

# A superuser stays: it may be the last one.
_DUE = (
    select(User)
    .where(User.deletion_due_at <= func.statement_timestamp(), ~User.is_superuser)
    .limit(1)
)


async def request_deletion(scope: Scope, user: User) -> None:
    """Log a user out everywhere, and delete the account once DELETION_GRACE_PERIOD is over.

    The user is locked. Passwords and second factors stay, so that the user can return by logging
    in.
    """
    grace_period = timedelta(seconds=scope.settings.deletion_grace_period)
    user.deletion_due_at = datetime.now(UTC) + grace_period
    await end_credentials(scope, user.id, Event.DELETION_REQUEST)
    due = f"{user.deletion_due_at:%d %B %Y}"
    await notify(scope, user, Alert.DELETION_REQUESTED, {"due": due})


def cancel_deletion(scope: Scope, user: User) -> None:
    """Keep the account of a user who has returned, or became a superuser."""
    if user.deletion_due_at is not None:
        user.deletion_due_at = None
        actor_id = scope.actor_id or user.id
        AuditTrail(scope).record("user.deletion_cancelled", user_id=user.id, actor_id=actor_id)


async def delete_account(scope: Scope, user: User, *, actor_id: UUID | None) -> None:
    """Delete a user with everything they own.

    What has to stay, the audit trail, no longer says where they were.
    """
    audit = AuditTrail(scope)
    await scope.uow.session.delete(user)
    await scope.uow.session.flush()
    await audit.anonymize(user.id)
    audit.record("user.deleted", user_id=user.id, actor_id=actor_id)


async def delete_due_accounts(open_scope: OpenScope) -> None:
    """Delete the accounts whose users have not returned, each in a transaction of its own."""
    deleted = True
    while deleted:
        async with open_scope() as scope:
            # A user who is logging in at this moment has locked the row, and returns.
            due = _DUE.order_by(User.deletion_due_at).with_for_update(skip_locked=True)
            user = await scope.uow.session.scalar(due)
            deleted = user is not None
            if user is not None:
                email = user.email
                await delete_account(scope, user, actor_id=None)
                scope.uow.enqueue(SendAccountDeleted(email=email, by_user=True))
