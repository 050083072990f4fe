"""The audit trail: who did what to which account, when, and from where. It holds no secrets."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select

from app.core.logging import current_request_id
from app.core.unit_of_work import UnitOfWork
from app.models import AuditEvent
from app.services.page import Page, page_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from."""

    address: str
    user_agent: str = ""


class AuditTrail:
    def __init__(self, uow: UnitOfWork, caller: Caller) -> None:
        self.uow = uow
        self.caller = caller

    def record(
        self,
        event: str,
        *,
        user_id: UUID | None,
        actor_id: UUID | None,
        **details: JsonValue,
    ) -> None:
        """Note what happened to a user, in the transaction in which it happens.

        No actor stands for somebody who has not logged in, and for the command line.
        """
        self.uow.session.add(
            AuditEvent(
                event=event,
                actor_id=actor_id,
                user_id=user_id,
                address=self.caller.address,
                user_agent=self.caller.user_agent,
                request_id=current_request_id(),
                details=details,
            )
        )


async def list_audit_events(
    uow: UnitOfWork, *, user_id: UUID | None, skip: int, limit: int
) -> Page[AuditEvent]:
    """List what happened, newest first: to everybody, or to one user."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc())
    if user_id is not None:
        query = query.where(AuditEvent.user_id == user_id)
    return await page_of(uow, query, skip=skip, limit=limit)
