from uuid import UUID

from sqlalchemy import select

from app.core.exceptions import NotFound
from app.core.unit_of_work import UnitOfWork
from app.models import Item
from app.schemas.item import ItemCreate, ItemUpdate
from app.services.page import Page, page_of
from app.services.principal import NotEnoughPermissions, Principal


class ItemNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Item not found")


class ItemService:
    """Items belong to a user. Superusers see and change everybody's."""

    def __init__(self, uow: UnitOfWork, principal: Principal) -> None:
        self.uow = uow
        self.principal = principal

    async def list(self, *, skip: int, limit: int) -> Page[Item]:
        """List one's own items, or all for a superuser, newest first."""
        query = select(Item).order_by(Item.id.desc())
        if not self.principal.user.is_superuser:
            query = query.where(Item.owner_id == self.principal.user.id)
        return await page_of(self.uow, query, skip=skip, limit=limit)

    async def create(self, wish: ItemCreate) -> Item:
        item = Item(**wish.model_dump(), owner_id=self.principal.user.id)
        self.uow.session.add(item)
        await self.uow.session.flush()
        return item

    async def get(self, item_id: UUID) -> Item:
        """Raises ItemNotFound, or NotEnoughPermissions for somebody else's item."""
        item = await self.uow.session.get(Item, item_id)
        if item is None:
            raise ItemNotFound
        if not self.principal.owns(item.owner_id):
            raise NotEnoughPermissions
        return item

    async def update(self, item_id: UUID, changes: ItemUpdate) -> Item:
        """Raises what `get` raises."""
        item = await self.get(item_id)
        for field, value in changes.given().items():
            setattr(item, field, value)
        await self.uow.session.flush()
        return item

    async def delete(self, item_id: UUID) -> None:
        """Raises what `get` raises."""
        await self.uow.session.delete(await self.get(item_id))
