"""Access to the account of a user: superusers list its credentials and roles, and end them."""

from uuid import UUID

from fastapi import Depends

from app.core.http.routing import Router
from app.routes.deps.principals import SuperuserScope, requires_recent
from app.schemas.common import Message
from app.schemas.user_access import UserAccess
from app.services.user_access_service import UserAccessService

router = Router(prefix="/users/{user_id}", tags=["user_access"])

RECENT = [Depends(requires_recent(minutes=5))]


@router.get("/access")
async def read_access_of_user(scope: SuperuserScope, user_id: UUID) -> UserAccess:
    """Show a user with the newest sessions, API keys, passkeys, identities, and roles."""
    return await UserAccessService(scope).read(user_id)


@router.delete("/sessions", dependencies=RECENT)
async def end_sessions_of_user(scope: SuperuserScope, user_id: UUID) -> Message:
    """Log a user out on every device. API keys stay."""
    await UserAccessService(scope).end_sessions(user_id)
    return Message(message="Sessions ended")


@router.delete("/sessions/{session_id}", dependencies=RECENT)
async def end_session_of_user(scope: SuperuserScope, user_id: UUID, session_id: UUID) -> Message:
    """Log a user out on one device."""
    await UserAccessService(scope).end_session(user_id, session_id)
    return Message(message="Session ended")


@router.delete("/api-keys/{key_id}", dependencies=RECENT)
async def revoke_api_key_of_user(scope: SuperuserScope, user_id: UUID, key_id: UUID) -> Message:
    """Delete an API key of a user. It stops working at once."""
    await UserAccessService(scope).revoke_key(user_id, key_id)
    return Message(message="API key revoked")
