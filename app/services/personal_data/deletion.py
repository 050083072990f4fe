"""Deletion of accounts: immediate by an administrator, after a grace period by the user."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from app.models import Alert, User
from app.schemas.jobs import SendAccountDeleted
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.account import Account
from app.services.auth.revocation import Event, end_credentials
from app.services.scope import OpenScope, Scope

# Superusers stay, because one may be the last.
_DUE = (
    select(User)
    .where(User.deletion_due_at <= func.statement_timestamp(), ~User.is_superuser)
    .limit(1)
)

_CANCEL = update(User).where(User.id == bindparam("user")).values(deletion_due_at=None)


async def request_deletion(scope: Scope, user: User) -> None:
    """Log a locked user out everywhere, and delete the account after DELETION_GRACE_PERIOD.

    Passwords and second factors stay, so that the user can log in to keep the account.
    """
    grace_period = timedelta(seconds=scope.settings.deletion_grace_period)
    user.deletion_due_at = datetime.now(UTC) + grace_period
    await end_credentials(scope, user.id, Event.DELETION_REQUEST)
    due = f"{user.deletion_due_at:%d %B %Y}"
    await notify(scope, user, Alert.DELETION_REQUESTED, {"due": due})


async def cancel_deletion(scope: Scope, user: Account) -> None:
    """Cancel the deletion of a user who has logged in or became a superuser."""
    if user.deletion_due_at is not None:
        await scope.uow.session.execute(_CANCEL, {"user": user.id})
        actor_id = scope.actor_id or user.id
        AuditTrail(scope).record("user.deletion_cancelled", user_id=user.id, actor_id=actor_id)


async def delete_account(scope: Scope, user: User, *, actor_id: UUID | None) -> None:
    """Delete a user with everything they own, and anonymize their events in the audit trail."""
    audit = AuditTrail(scope)
    await scope.uow.session.delete(user)
    await scope.uow.session.flush()
    await audit.anonymize(user.id)
    audit.record("user.deleted", user_id=user.id, actor_id=actor_id)


async def delete_due_accounts(open_scope: OpenScope) -> None:
    """Delete the accounts whose grace period is over, each in its own transaction."""
    deleted = True
    while deleted:
        async with open_scope() as scope:
            # A user who is logging in has locked the row, and keeps the account.
            due = _DUE.order_by(User.deletion_due_at).with_for_update(skip_locked=True)
            user = await scope.uow.session.scalar(due)
            deleted = user is not None
            if user is not None:
                email = user.email
                await delete_account(scope, user, actor_id=None)
                scope.uow.enqueue(SendAccountDeleted(email=email, by_user=True))
