"""Superusers see and end the access to the account of another user."""

import httpx2
import pytest
from sqlalchemy import select

from app.core.resources import Resources
from app.models import ApiKey, AuditEvent, UserSession
from tests.support.accounts import API, Person, create_user
from tests.support.api_keys import create_api_key


@pytest.fixture
async def root(resources: Resources) -> Person:
    return await create_user(resources, "root", superuser=True)


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources)


async def events(resources: Resources, root: Person, ada: Person) -> list[str]:
    """Return what a superuser did to the account."""
    by_root = select(AuditEvent.event).where(AuditEvent.actor_id == root.id)
    async with resources.sessions() as session:
        return [*await session.scalars(by_root.where(AuditEvent.user_id == ada.id))]


async def test_sessions_and_keys_of_a_user_are_shown_without_their_secrets(
    client: httpx2.AsyncClient, resources: Resources, root: Person, ada: Person
) -> None:
    key_id, key = await create_api_key(resources, ada)
    answer = await client.get(f"{API}/users/{ada.id}/access", headers=root.headers)

    access = answer.json()
    assert access["user"]["email"] == ada.email
    assert [each["id"] for each in access["sessions"]["data"]] == [str(ada.session_id)]
    assert [each["id"] for each in access["api_keys"]["data"]] == [str(key_id)]
    assert key not in answer.text
    assert ada.refresh_token not in answer.text


async def test_one_session_of_a_user_is_ended(
    client: httpx2.AsyncClient, resources: Resources, root: Person, ada: Person
) -> None:
    path = f"{API}/users/{ada.id}/sessions/{ada.session_id}"
    ended = await client.delete(path, headers=root.headers)
    again = await client.delete(path, headers=root.headers)

    assert (ended.status_code, again.status_code) == (200, 404)
    async with resources.sessions() as session:
        assert await session.get(UserSession, ada.session_id) is None
    assert await events(resources, root, ada) == ["session.ended"]


async def test_all_sessions_of_a_user_are_ended_and_keys_stay(
    client: httpx2.AsyncClient, resources: Resources, root: Person, ada: Person
) -> None:
    key_id, _ = await create_api_key(resources, ada)
    ended = await client.delete(f"{API}/users/{ada.id}/sessions", headers=root.headers)

    assert ended.status_code == 200
    async with resources.sessions() as session:
        assert await session.get(UserSession, ada.session_id) is None
        assert await session.get(UserSession, root.session_id) is not None
        assert await session.get(ApiKey, key_id) is not None


async def test_a_key_of_a_user_is_revoked_and_no_other(
    client: httpx2.AsyncClient, resources: Resources, root: Person, ada: Person
) -> None:
    key_id, _ = await create_api_key(resources, ada)
    of_root, _ = await create_api_key(resources, root)
    wrong = await client.delete(f"{API}/users/{ada.id}/api-keys/{of_root}", headers=root.headers)
    revoked = await client.delete(f"{API}/users/{ada.id}/api-keys/{key_id}", headers=root.headers)

    assert (wrong.status_code, revoked.status_code) == (404, 200)
    async with resources.sessions() as session:
        assert await session.get(ApiKey, key_id) is None
        assert await session.get(ApiKey, of_root) is not None
    assert await events(resources, root, ada) == ["api_key.revoked"]
