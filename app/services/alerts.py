"""Alerts: emails about changes that an attacker might make, with a "this wasn't me" link."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, func, select, text

from app.models import Alert, SecurityAlert
from app.schemas.jobs import SendSecurityAlert
from app.services.audit import AuditTrail
from app.services.auth.account import Account
from app.services.scope import Scope

MIN_INTERVAL = timedelta(hours=1)
"""One alert per kind, hour, and address, so that an attacker cannot flood a user with emails."""

LINK_LIFETIME = timedelta(days=7)

RECENT_ALERT = (
    select(SecurityAlert.id)
    .where(
        SecurityAlert.user_id == bindparam("user"),
        SecurityAlert.kind == bindparam("kind"),
        SecurityAlert.email == bindparam("email"),
        SecurityAlert.created_at > func.now() - MIN_INTERVAL,
    )
    .limit(1)
)
"""Finds an alert to the same address that makes another one superfluous."""

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def notify(  # noqa: PLR0913  each is an option
    scope: Scope,
    user: Account,
    alert: Alert,
    details: Mapping[str, JsonValue] | None = None,
    *,
    email: str | None = None,
    actor_id: UUID | None = None,
    is_repeated: bool = False,
) -> None:
    """Record an event of a user's account, and send its owner an email about it.

    The email goes to `email`, or to the address of the account. `actor_id` is the acting user if
    the request has no login yet. The user cannot report a change of the address that an
    administrator has made. With `is_repeated`, the caller has found a `RECENT_ALERT`.
    """
    actor_id = actor_id or scope.actor_id
    details = dict(details or {})
    AuditTrail(scope).record(alert.value, user_id=user.id, actor_id=actor_id, **details)
    recipient = email or user.email
    if is_repeated or not await _is_due(scope, user.id, alert, recipient):
        return
    row = SecurityAlert(
        user_id=user.id,
        kind=alert,
        email=recipient,
        ip_address=scope.request.ip_address,
        user_agent=scope.request.user_agent,
        details=details,
        can_be_reported=recipient == user.email or actor_id == user.id,
        expires_at=datetime.now(UTC) + LINK_LIFETIME,
    )
    scope.uow.session.add(row)
    await scope.uow.session.flush()
    scope.uow.enqueue(SendSecurityAlert(alert_id=row.id))


async def _is_due(scope: Scope, user_id: UUID, alert: Alert, recipient: str) -> bool:
    values = {"user": user_id, "kind": alert, "email": recipient}
    if await scope.uow.first(RECENT_ALERT, **values) is not None:
        return False
    # If two events race, the second waits here and then finds the first.
    await scope.uow.session.execute(_LOCK, {"name": f"{alert} {user_id}"})
    return await scope.uow.first(RECENT_ALERT, **values) is None
