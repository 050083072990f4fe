from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status

from app.models import Item
from app.routes.deps import CurrentPrincipal, Limit, Skip, Uow
from app.schemas.fields import Message
from app.schemas.item import ItemCreate, ItemPublic, ItemsPublic, ItemUpdate
from app.services import page
from app.services.item_service import ItemService

router = APIRouter(prefix="/items", tags=["items"])

ItemId = Annotated[UUID, Path(alias="id")]


@router.get("/", response_model=ItemsPublic)
async def read_items(
    uow: Uow, principal: CurrentPrincipal, skip: Skip = 0, limit: Limit = 100
) -> page.Page[Item]:
    """List one's own items, newest first; a superuser sees everybody's."""
    return await ItemService(uow, principal).list(skip=skip, limit=limit)


@router.post("/", status_code=status.HTTP_201_CREATED, response_model=ItemPublic)
async def create_item(uow: Uow, principal: CurrentPrincipal, wish: ItemCreate) -> Item:
    return await ItemService(uow, principal).create(wish)


@router.get("/{id}", response_model=ItemPublic)  # noqa: FAST003  ItemId is its alias
async def read_item(uow: Uow, principal: CurrentPrincipal, item_id: ItemId) -> Item:
    return await ItemService(uow, principal).get(item_id)


@router.put("/{id}", response_model=ItemPublic)  # noqa: FAST003  ItemId is its alias
async def update_item(
    uow: Uow, principal: CurrentPrincipal, item_id: ItemId, changes: ItemUpdate
) -> Item:
    return await ItemService(uow, principal).update(item_id, changes)


@router.delete("/{id}")  # noqa: FAST003  ItemId is its alias
async def delete_item(uow: Uow, principal: CurrentPrincipal, item_id: ItemId) -> Message:
    await ItemService(uow, principal).delete(item_id)
    return Message(message="Item deleted successfully")
