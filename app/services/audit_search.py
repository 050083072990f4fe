"""Search the audit trail, for pages and for exports."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.core.database import Sessions
from app.models import AuditEvent, User
from app.schemas.audit import AuditEventDetails, AuditEventPublic, AuditFilter
from app.services.columns import select_as

BATCH = 1000

_actor, _user = aliased(User), aliased(User)
_EVENTS = (
    select_as(AuditEventPublic, AuditEvent)
    .add_columns(_actor.email.label("actor_email"), _user.email.label("user_email"))
    .outerjoin(_actor, _actor.id == AuditEvent.actor_id)
    .outerjoin(_user, _user.id == AuditEvent.user_id)
    .order_by(AuditEvent.id.desc())
)


async def search_events(
    session: AsyncSession, chosen: AuditFilter, *, before: UUID | None = None, limit: int
) -> Sequence[AuditEventDetails]:
    """Return the newest events that match, optionally only those before an event.

    A total is not available, because a count would read the whole trail.
    """
    statement = _EVENTS.where(*_conditions(chosen)).limit(limit)
    if before is not None:
        statement = statement.where(AuditEvent.id < before)
    rows = await session.execute(statement)
    return [AuditEventDetails.model_validate(dict(row)) for row in rows.mappings()]


async def all_events(sessions: Sessions, chosen: AuditFilter) -> AsyncIterator[AuditEventDetails]:
    """Yield every event that matches, newest first. No connection is held between batches."""
    before: UUID | None = None
    while True:
        async with sessions() as session:
            batch = await search_events(session, chosen, before=before, limit=BATCH)
        for event in batch:
            yield event
        if len(batch) < BATCH:
            return
        before = batch[-1].id


def _conditions(chosen: AuditFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.event is not None:
        kinds = AuditEvent.event.startswith(f"{chosen.event}.", autoescape=True)
        conditions.append(or_(AuditEvent.event == chosen.event, kinds))
    if chosen.user_id is not None:
        conditions.append(AuditEvent.user_id == chosen.user_id)
    if chosen.actor_id is not None:
        conditions.append(AuditEvent.actor_id == chosen.actor_id)
    if chosen.address is not None:
        conditions.append(AuditEvent.ip_address == chosen.address)
    if chosen.request_id is not None:
        conditions.append(AuditEvent.request_id == chosen.request_id)
    if chosen.since is not None:
        conditions.append(AuditEvent.at >= chosen.since)
    if chosen.until is not None:
        conditions.append(AuditEvent.at < chosen.until)
    return conditions
