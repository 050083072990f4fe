from typing import TypeVar
from uuid import UUID

from sqlalchemy import bindparam

from app.core.exceptions import NotFound
from app.models import Item
from app.schemas.item import ItemCreate, ItemPublic, ItemsPublic, ItemUpdate
from app.services.auth.principal import NotEnoughPermissions
from app.services.columns import insert_as, select_as
from app.services.scope import Scope

SomeItem = TypeVar("SomeItem", Item, ItemPublic)

_INSERT = insert_as(ItemPublic, Item)
_ITEMS = select_as(ItemPublic, Item)
_BY_ID = _ITEMS.where(Item.id == bindparam("item_id"))
_NEWEST_FIRST = _ITEMS.order_by(Item.id.desc())
_OWN_NEWEST_FIRST = _NEWEST_FIRST.where(Item.owner_id == bindparam("owner_id"))


class ItemNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Item not found")


class ItemService:
    """Items belong to a user. Superusers see and change the items of all users."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def list(self, *, skip: int, limit: int) -> ItemsPublic:
        """List the user's own items, or all items for a superuser, newest first."""
        principal, reader = self.scope.principal, self.scope.reader
        if principal.is_superuser:
            return await reader.page(ItemsPublic, _NEWEST_FIRST, skip=skip, limit=limit)
        return await reader.page(
            ItemsPublic, _OWN_NEWEST_FIRST, owner_id=principal.user_id, skip=skip, limit=limit
        )

    async def create(self, data: ItemCreate) -> ItemPublic:
        owner_id = self.scope.principal.user_id
        return await self.uow.insert(ItemPublic, _INSERT, **data.model_dump(), owner_id=owner_id)

    async def read(self, item_id: UUID) -> ItemPublic:
        """Raise ItemNotFound, or NotEnoughPermissions for another user's item."""
        item = await self.scope.reader.one(ItemPublic, _BY_ID, item_id=item_id)
        return self._accessible(item)

    async def update(self, item_id: UUID, data: ItemUpdate) -> Item:
        """Change an item. Raise the same errors as `read`."""
        item = self._accessible(await self.uow.session.get(Item, item_id))
        for field, value in data.given().items():
            setattr(item, field, value)
        await self.uow.session.flush()
        return item

    async def delete(self, item_id: UUID) -> None:
        """Delete an item. Raise the same errors as `read`."""
        item = self._accessible(await self.uow.session.get(Item, item_id))
        await self.uow.session.delete(item)

    def _accessible(self, item: SomeItem | None) -> SomeItem:
        if item is None:
            raise ItemNotFound
        if not self.scope.principal.owns(item.owner_id):
            raise NotEnoughPermissions
        return item
