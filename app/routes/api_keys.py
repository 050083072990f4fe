from uuid import UUID

from fastapi import APIRouter, status

from app.models import ApiKey
from app.routes.deps import CurrentPrincipal, Limit, PrincipalBeforehand, Skip
from app.routes.services import ApiKeys
from app.schemas.api_key import ApiKeyCreate, ApiKeyCreated, ApiKeyPublic
from app.schemas.fields import Message, Page
from app.services import page

router = APIRouter(prefix="/users/me/api-keys", tags=["api-keys"])


@router.get("", response_model=Page[ApiKeyPublic])
async def read_api_keys_me(
    keys: ApiKeys, principal: CurrentPrincipal, skip: Skip = 0, limit: Limit = 100
) -> page.Page[ApiKey]:
    """List one's API keys, newest first."""
    return await keys.list(principal.user.id, skip=skip, limit=limit)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_api_key_me(
    keys: ApiKeys, principal: PrincipalBeforehand, wish: ApiKeyCreate
) -> ApiKeyCreated:
    """Create an API key. It is shown this once."""
    api_key, key = await keys.create(principal, wish)
    return ApiKeyCreated(key=key, **ApiKeyPublic.model_validate(api_key).model_dump())


@router.delete("/{key_id}")
async def revoke_api_key_me(keys: ApiKeys, principal: CurrentPrincipal, key_id: UUID) -> Message:
    await keys.revoke(principal.user.id, key_id)
    return Message(message="API key revoked")
