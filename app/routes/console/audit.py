"""The audit trail: who did what, when, and from where."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from app.core.database import Sessions
from app.routes.console.access import console_scope
from app.routes.console.csv import csv_line
from app.routes.console.layout import show
from app.routes.console.queries import Moment, Word, link_with, read_query
from app.routes.deps.request import resources_of
from app.routes.pages.route import page_router
from app.routes.pages.user_agent import device
from app.routes.pages.visit import Visit
from app.schemas.audit import AuditEventDetails, AuditFilter
from app.schemas.role import Permission
from app.services.audit import AuditTrail
from app.services.audit_search import all_events, search_events
from app.services.scope import Scope
from app.services.user_service import UserService

router = page_router()

AuditScope = Annotated[Scope, console_scope(Permission.READ_AUDIT)]
ProvenAuditScope = Annotated[Scope, console_scope(Permission.READ_AUDIT, proven=True)]

PAGE_SIZE = 100
NO_USER = UUID(int=0)
COLUMNS = (
    *("at", "event", "actor_email", "actor_id", "user_email", "user_id"),
    *("address", "user_agent", "request_id", "details"),
)


class AuditQuery(BaseModel):
    """The filter in the form. `user` and `actor` are email addresses or ids."""

    event: Word | None = None
    user: Word | None = None
    actor: Word | None = None
    address: Word | None = None
    request_id: Word | None = None
    since: Moment | None = None
    until: Moment | None = None
    before: UUID | None = None


@router.get("/console/audit")
async def show_audit(visit: Visit, scope: AuditScope) -> Response:
    query = read_query(visit, AuditQuery)
    events: Sequence[AuditEventDetails] = []
    if query is not None:
        chosen = await _filter(scope, query)
        session = scope.uow.session
        events = await search_events(session, chosen, before=query.before, limit=PAGE_SIZE)
    older = events[-1].id if len(events) == PAGE_SIZE else None
    return show(
        visit,
        scope,
        "audit.html",
        events=events,
        older=older and link_with(visit, before=older),
        export=link_with(visit, path="/console/audit/export.csv", before=None),
        device=device,
    )


@router.get("/console/audit/export.csv")
async def export_audit(visit: Visit, scope: ProvenAuditScope) -> Response:
    query = read_query(visit, AuditQuery)
    if query is None:
        return visit.redirect(link_with(visit, path="/console/audit"))
    chosen = await _filter(scope, query)
    details = chosen.model_dump(mode="json", exclude_none=True)
    audit = AuditTrail(scope)
    audit.record("audit.exported", user_id=None, actor_id=scope.actor_id, filter=details)
    name = f"audit-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.csv"
    return StreamingResponse(
        _lines(resources_of(visit.request).sessions, chosen),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _filter(scope: Scope, query: AuditQuery) -> AuditFilter:
    return AuditFilter(
        user_id=await _find_user(scope, query.user),
        actor_id=await _find_user(scope, query.actor),
        **query.model_dump(include=AuditFilter.model_fields.keys() - {"user_id", "actor_id"}),
    )


async def _find_user(scope: Scope, text: str | None) -> UUID | None:
    """Return the id of a user, or an id that no user has for an unknown address."""
    if text is None:
        return None
    with suppress(ValueError):
        return UUID(text)
    user = await UserService(scope).find_by_email(text)
    return NO_USER if user is None else user.id


async def _lines(sessions: Sessions, chosen: AuditFilter) -> AsyncIterator[str]:
    yield csv_line(COLUMNS)
    async for event in all_events(sessions, chosen):
        values = event.model_dump() | {"details": to_json(event.details).decode()}
        yield csv_line([values[column] for column in COLUMNS])
