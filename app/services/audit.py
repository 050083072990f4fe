"""The audit trail: who did what to which account, when, and from where. It contains no secrets."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, func, insert, select

from app.core.logging import current_request_id
from app.models import AuditEvent
from app.schemas.audit import AuditEventPublic
from app.schemas.common import Page
from app.services.columns import select_as
from app.services.scope import Scope

_INSERT = insert(AuditEvent)
_NEWEST_FIRST = select_as(AuditEventPublic, AuditEvent).order_by(AuditEvent.id.desc())
_OF_USER_NEWEST_FIRST = _NEWEST_FIRST.where(AuditEvent.user_id == bindparam("user_id"))


class AuditTrail:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def record(
        self,
        event: str,
        *,
        user_id: UUID | None,
        actor_id: UUID | None,
        **details: JsonValue,
    ) -> None:
        """Add an event about a user, in the transaction of the event.

        Without an actor, the user was not logged in, or an operator used the command line. The
        details name the operator and the operator's reason.
        """
        if self.scope.operator is not None:
            details.setdefault("operator", self.scope.operator)
        if self.scope.reason is not None:
            details.setdefault("reason", self.scope.reason)
        self.scope.uow.insert_at_end(
            _INSERT,
            event=event,
            actor_id=actor_id,
            user_id=user_id,
            ip_address=self.scope.request.ip_address,
            user_agent=self.scope.request.user_agent,
            request_id=current_request_id(),
            details=details,
        )

    async def list(self, *, user_id: UUID | None, skip: int, limit: int) -> Page[AuditEventPublic]:
        """List the events of all users or of one, newest first."""
        page, reader = Page[AuditEventPublic], self.scope.reader
        if user_id is None:
            return await reader.page(page, _NEWEST_FIRST, skip=skip, limit=limit)
        return await reader.page(
            page, _OF_USER_NEWEST_FIRST, user_id=user_id, skip=skip, limit=limit
        )

    async def delete_older_than(self, seconds: int, limit: int) -> int:
        """Delete the oldest events, and return how many. The database keeps the last 30 days."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        statement = select(func.delete_audit_events(before, limit))
        return await self.scope.uow.session.scalar(statement) or 0

    async def anonymize(self, user_id: UUID) -> None:
        """Remove IP addresses and user agents from the events about a deleted user."""
        await self.scope.uow.insert_deferred()
        await self.scope.uow.session.execute(select(func.anonymize_audit_events(user_id)))
