"""The audit trail: who did what to which account."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.core.http.routing import Router
from app.routes.deps.principals import requires
from app.routes.deps.request import Limit, Skip
from app.schemas.audit import AuditEventPublic
from app.schemas.common import Page
from app.services.audit import AuditTrail
from app.services.scope import Scope

router = Router(prefix="/audit-events", tags=["audit"])


@router.get("/")
async def read_audit_events(
    scope: Annotated[Scope, requires("audit:read")],
    user_id: Annotated[UUID | None, Query(description="Only events about this user")] = None,
    skip: Skip = 0,
    limit: Limit = 100,
) -> Page[AuditEventPublic]:
    """List the events of the audit trail, newest first."""
    return await AuditTrail(scope).list(user_id=user_id, skip=skip, limit=limit)
