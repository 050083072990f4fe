"""An example resource: items, each of which belongs to a user."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, status

from app.core.http.routing import Router
from app.models import Item
from app.routes.deps.principals import UserScope, autocommit, one_round_trip
from app.routes.deps.request import Limit, Skip
from app.schemas.common import Message
from app.schemas.item import ItemCreate, ItemPublic, ItemsPublic, ItemUpdate
from app.services.item_service import ItemService

router = Router(prefix="/items", tags=["items"])

ItemId = Annotated[UUID, Path(alias="id")]


@router.get("/")
async def read_items(scope: UserScope, skip: Skip = 0, limit: Limit = 100) -> ItemsPublic:
    """List the user's items, newest first. Superusers see the items of all users."""
    return await ItemService(scope).list(skip=skip, limit=limit)


@router.post("/", status_code=status.HTTP_201_CREATED)
@autocommit
async def create_item(scope: UserScope, data: ItemCreate) -> ItemPublic:
    """Create an item, which belongs to the user."""
    return await ItemService(scope).create(data)


@router.get("/{id}")
@one_round_trip
async def read_item(scope: UserScope, item_id: ItemId) -> ItemPublic:
    """Read an item of the user. Superusers read any item."""
    return await ItemService(scope).read(item_id)


@router.put("/{id}", response_model=ItemPublic)
async def update_item(scope: UserScope, item_id: ItemId, data: ItemUpdate) -> Item:
    """Change an item of the user. Superusers change any item."""
    return await ItemService(scope).update(item_id, data)


@router.delete("/{id}")
async def delete_item(scope: UserScope, item_id: ItemId) -> Message:
    """Delete an item of the user. Superusers delete any item."""
    await ItemService(scope).delete(item_id)
    return Message(message="Item deleted successfully")
