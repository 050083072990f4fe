from uuid import uuid4

import pytest

from app.core.resources import Resources
from app.schemas.item import ItemCreate, ItemUpdate
from app.services.auth.principal import NotEnoughPermissions
from app.services.item_service import ItemNotFound, ItemService
from tests.support.accounts import Person, create_user, open_user_scope

BOOK = ItemCreate(title="A book", description="Red")


async def test_an_item_belongs_to_its_creator(resources: Resources, ada: Person) -> None:
    async with open_user_scope(resources, ada) as scope:
        item = await ItemService(scope).create(BOOK)
        assert item.owner_id == ada.id
        page = await ItemService(scope).list(skip=0, limit=10)

    assert (page.count, [read.id for read in page.data]) == (1, [item.id])


async def test_only_the_owner_and_superusers_touch_an_item(
    resources: Resources, ada: Person, root: Person
) -> None:
    bob = await create_user(resources, "bob")
    async with open_user_scope(resources, ada) as scope:
        item_id = (await ItemService(scope).create(BOOK)).id
    async with open_user_scope(resources, bob) as scope:
        with pytest.raises(NotEnoughPermissions):
            await ItemService(scope).update(item_id, ItemUpdate(title="Mine"))
        assert (await ItemService(scope).list(skip=0, limit=10)).count == 0
    async with open_user_scope(resources, root) as scope:
        assert (await ItemService(scope).list(skip=0, limit=10)).count == 1
        await ItemService(scope).delete(item_id)
        with pytest.raises(ItemNotFound):
            await ItemService(scope).read(uuid4())


async def test_fields_left_out_of_an_update_stay(resources: Resources, ada: Person) -> None:
    async with open_user_scope(resources, ada) as scope:
        items = ItemService(scope)
        item_id = (await items.create(BOOK)).id
        item = await items.update(item_id, ItemUpdate.model_validate({"title": "A blue book"}))
        assert (item.title, item.description) == ("A blue book", "Red")
        await items.update(item.id, ItemUpdate.model_validate({"title": None, "description": None}))
        assert (item.title, item.description) == ("A blue book", None)
