"""Keys for programs that act for the user, limited to some permissions."""

from uuid import UUID

from fastapi import Depends, status

from app.core.http.routing import Router
from app.routes.deps.principals import UserScope, requires_recent
from app.routes.deps.request import Limit, Skip
from app.schemas.api_key import ApiKeyCreate, ApiKeyCreated, ApiKeyPublic
from app.schemas.common import Message, Page
from app.services.auth.api_key_service import ApiKeyService

router = Router(prefix="/users/me/api-keys", tags=["api_keys"])


@router.get("")
async def read_api_keys_me(
    scope: UserScope, skip: Skip = 0, limit: Limit = 100
) -> Page[ApiKeyPublic]:
    """List the user's API keys, newest first."""
    return await ApiKeyService(scope).list(skip=skip, limit=limit)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_api_key_me(scope: UserScope, data: ApiKeyCreate) -> ApiKeyCreated:
    """Create an API key. The response shows it once."""
    api_key, key = await ApiKeyService(scope).create(data)
    return ApiKeyCreated(key=key, **ApiKeyPublic.model_validate(api_key).model_dump())


@router.delete("/{key_id}", dependencies=[Depends(requires_recent(minutes=5))])
async def revoke_api_key_me(scope: UserScope, key_id: UUID) -> Message:
    """Delete an API key. It stops working at once."""
    await ApiKeyService(scope).revoke(key_id)
    return Message(message="API key revoked")
