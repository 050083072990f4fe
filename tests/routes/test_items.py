from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select

from app.core.resources import Resources
from app.models import Item
from tests.support.accounts import API, Person, create_user

ITEMS = f"{API}/items/"


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources)


async def test_an_item_is_created_read_changed_and_deleted(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    created = await client.post(ITEMS, json={"title": "A book"}, headers=ada.headers)
    item = created.json()
    assert (created.status_code, item["owner_id"]) == (201, str(ada.id))
    assert item.keys() == {"id", "title", "description", "owner_id", "created_at"}

    where = f"{ITEMS}{item['id']}"
    assert (await client.get(where, headers=ada.headers)).json() == item
    changed = await client.put(where, json={"description": "Red"}, headers=ada.headers)
    assert changed.json() == item | {"description": "Red"}

    deleted = await client.delete(where, headers=ada.headers)
    assert deleted.json() == {"message": "Item deleted successfully"}
    gone = await client.get(where, headers=ada.headers)
    assert (gone.status_code, gone.json()["detail"]) == (404, "Item not found")


async def test_a_description_can_be_removed_and_a_title_cannot(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    data = {"title": "A book", "description": "Red"}
    item = (await client.post(ITEMS, json=data, headers=ada.headers)).json()

    nothing = {"title": None, "description": None}
    changed = await client.put(f"{ITEMS}{item['id']}", json=nothing, headers=ada.headers)
    assert changed.json() == item | {"description": None}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_item_of_another_user_is_forbidden_except_for_superusers(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, method: str
) -> None:
    item = (await client.post(ITEMS, json={"title": "A book"}, headers=ada.headers)).json()
    bob = await create_user(resources, "bob")
    root = await create_user(resources, "root", superuser=True)

    where, body = f"{ITEMS}{item['id']}", {"title": "Mine"}
    refused = await client.request(method, where, json=body, headers=bob.headers)
    assert (refused.status_code, refused.json()["detail"]) == (403, "Not enough permissions")
    allowed = await client.request(method, where, json=body, headers=root.headers)
    assert allowed.status_code == 200


async def test_users_list_their_own_items_and_superusers_all_newest_first(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    bob = await create_user(resources, "bob")
    root = await create_user(resources, "root", superuser=True)
    for person, title in ((ada, "1"), (bob, "2"), (ada, "3")):
        await client.post(ITEMS, json={"title": title}, headers=person.headers)

    own = (await client.get(ITEMS, headers=ada.headers)).json()
    everybodys = (await client.get(f"{ITEMS}?limit=2", headers=root.headers)).json()

    assert ([item["title"] for item in own["data"]], own["count"]) == (["3", "1"], 2)
    assert [item["title"] for item in everybodys["data"]] == ["3", "2"]
    assert everybodys["count"] == 3


async def test_items_are_deleted_with_their_owner(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    root = await create_user(resources, "root", superuser=True)
    await client.post(ITEMS, json={"title": "A book"}, headers=ada.headers)
    await client.delete(f"{API}/users/{ada.id}", headers=root.headers)

    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(func.count()).select_from(Item)) == 0


async def test_an_item_that_does_not_exist_is_not_found(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    answer = await client.get(f"{ITEMS}{uuid4()}", headers=ada.headers)

    assert (answer.status_code, answer.json()["detail"]) == (404, "Item not found")
