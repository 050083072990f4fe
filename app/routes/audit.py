from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.models import AuditEvent
from app.routes.deps import Limit, Skip, Uow, requires
from app.schemas.audit import AuditEventPublic
from app.schemas.fields import Page
from app.services import page
from app.services.audit import list_audit_events

router = APIRouter(prefix="/audit-events", tags=["audit"])


@router.get(
    "/",
    dependencies=[Depends(requires("audit:read"))],
    response_model=Page[AuditEventPublic],
)
async def read_audit_events(
    uow: Uow,
    user_id: Annotated[UUID | None, Query(description="Only what concerns this user")] = None,
    skip: Skip = 0,
    limit: Limit = 100,
) -> page.Page[AuditEvent]:
    """List what happened to accounts, newest first."""
    return await list_audit_events(uow, user_id=user_id, skip=skip, limit=limit)
