import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import func, text, update

from app.core.resources import Resources
from app.models import ApiKey, Role, UserRole
from app.services.auth.api_key_service import HINT_LENGTH
from app.services.auth.authentication import API_KEY_PREFIX
from tests.support.accounts import API, PASSWORD, Person, bearer, create_user
from tests.support.api_keys import create_api_key
from tests.support.passwords import CHEAP_PASSWORDS
from tests.support.service import serve, with_settings

KEYS = f"{API}/users/me/api-keys"
REPORTS = f"{API}/reports/"
WISH = {"name": "import", "scopes": ["reports:read"], "current_password": PASSWORD}


async def allow(resources: Resources, person: Person, *permissions: str) -> None:
    async with resources.unit_of_work() as uow:
        role = Role(name="reader", permissions=list(permissions))
        uow.session.add(role)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=person.id, role_id=role.id))


async def create(client: httpx2.AsyncClient, person: Person, **changes: object) -> httpx2.Response:
    return await client.post(KEYS, json=WISH | changes, headers=person.headers)


async def status_of(client: httpx2.AsyncClient, key: str, path: str = REPORTS) -> int:
    return (await client.get(path, headers=bearer(key))).status_code


async def test_an_api_key_reads_what_its_owner_may_read(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await allow(resources, ada, "reports:read")
    answer = await create(client, ada)

    created = answer.json()
    assert answer.status_code == 201
    assert created["key"].startswith("fab_")
    assert len(created["key"]) == len(API_KEY_PREFIX) + 43
    assert created["hint"] == created["key"][:HINT_LENGTH]
    assert await status_of(client, created["key"]) == 200


async def test_a_key_is_shown_once(client: httpx2.AsyncClient, ada: Person) -> None:
    created = (await create(client, ada)).json()

    listed = await client.get(KEYS, headers=ada.headers)
    assert created["key"] not in listed.text
    del created["key"]
    assert listed.json() == {"data": [created], "count": 1}


async def test_the_database_stores_no_key_in_plain_text(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    key = (await create(client, ada)).json()["key"]
    async with resources.unit_of_work() as uow:
        rows = "".join(await uow.session.scalars(text("SELECT k::text FROM api_keys AS k")))

    assert key[:HINT_LENGTH] in rows
    assert key not in rows
    assert key.encode().hex() not in rows


async def test_a_key_may_do_no_more_than_its_scopes_allow(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    _, key = await create_api_key(resources, root, scopes=["audit:read"])

    assert await status_of(client, key, f"{API}/audit-events/") == 200
    assert await status_of(client, key) == 403


async def test_a_key_may_do_no_more_than_its_owner(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    _, key = await create_api_key(resources, ada)
    assert await status_of(client, key) == 403

    await allow(resources, ada, "reports:read")
    assert await status_of(client, key) == 200
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(Role).values(permissions=[]))
    assert await status_of(client, key) == 403


async def test_a_key_follows_its_own_reports_if_its_scopes_allow_it(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await allow(resources, ada, "reports:create")
    _, author = await create_api_key(resources, ada, scopes=["reports:create", "jobs:read"])
    _, auditor = await create_api_key(resources, ada, scopes=["audit:read"])
    accepted = await client.post(f"{REPORTS}signups", json={}, headers=bearer(author))

    assert accepted.status_code == 202
    assert await status_of(client, author, accepted.headers["location"]) == 200
    assert await status_of(client, auditor, accepted.headers["location"]) == 403
    assert await status_of(client, ada.access_token, accepted.headers["location"]) == 200


async def test_a_revoked_key_stops_working_at_once(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    key_id, key = await create_api_key(resources, root)
    _, other = await create_api_key(resources, root)
    assert await status_of(client, key) == 200

    answer = await client.delete(f"{KEYS}/{key_id}", headers=root.headers)
    assert answer.json() == {"message": "API key revoked"}
    assert await status_of(client, key) == 401
    assert await status_of(client, other) == 200


@pytest.mark.parametrize("change", ["deactivated", "deleted"])
async def test_a_key_stops_working_with_its_owner(
    client: httpx2.AsyncClient, resources: Resources, root: Person, change: str
) -> None:
    owner = await create_user(resources, "owner", superuser=True)
    _, key = await create_api_key(resources, owner)
    path = f"{API}/users/{owner.id}"
    if change == "deleted":
        await client.delete(path, headers=root.headers)
    else:
        await client.patch(path, json={"is_active": False}, headers=root.headers)

    assert await status_of(client, key) == 401


async def test_users_cannot_revoke_the_keys_of_others(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, root: Person
) -> None:
    key_id, key = await create_api_key(resources, root)
    answer = await client.delete(f"{KEYS}/{key_id}", headers=ada.headers)

    assert (answer.status_code, answer.json()["detail"]) == (404, "API key not found")
    assert await status_of(client, key) == 200


async def last_use(resources: Resources, key_id: UUID) -> tuple[datetime | None, str]:
    """Return when a key was used, and the version of its row."""
    query = text("SELECT last_used_at, xmin::text || ctid::text FROM api_keys WHERE id = :id")
    async with resources.unit_of_work() as uow:
        last_used_at, version = (await uow.session.execute(query, {"id": key_id})).one()
    return last_used_at, version


async def test_the_last_use_is_stored_once_per_minute(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    key_id, key = await create_api_key(resources, root)
    assert (await last_use(resources, key_id))[0] is None

    assert await status_of(client, key) == 200
    assert (await last_use(resources, key_id))[0] is not None

    # As at the start of the minute, so that it does not end during the test on a slow machine.
    await set_last_use(resources, timedelta(hours=1))
    recent = await last_use(resources, key_id)
    assert [await status_of(client, key) for _ in range(3)] == [200] * 3
    assert await last_use(resources, key_id) == recent

    await set_last_use(resources, -timedelta(seconds=61))
    earlier = await last_use(resources, key_id)
    assert await status_of(client, key) == 200
    assert await last_use(resources, key_id) != earlier


async def set_last_use(resources: Resources, offset: timedelta) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(ApiKey).values(last_used_at=func.now() + offset))


async def test_a_refused_request_counts_as_a_use_of_the_key(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    key_id, key = await create_api_key(resources, ada)

    assert await status_of(client, key, f"{API}/users/me") == 403
    assert (await last_use(resources, key_id))[0] is not None


async def test_creating_a_key_needs_the_password(client: httpx2.AsyncClient, ada: Person) -> None:
    answers = [await create(client, ada, current_password="wrong horse") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert (await client.get(KEYS, headers=ada.headers)).json()["count"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": ["reports:raed"]},
        {"name": ""},
        {"name": "x" * 65},
        {"expires_in_days": 0},
        {"expires_in_days": 367},
        {"expires_in_days": None},
    ],
    ids=str,
)
async def test_a_key_without_a_name_a_known_scope_or_an_end_is_refused(
    client: httpx2.AsyncClient, ada: Person, changes: dict[str, object]
) -> None:
    assert (await create(client, ada, **changes)).status_code == 422


async def test_the_audit_trail_shows_keys_but_never_their_value(
    client: httpx2.AsyncClient, ada: Person, root: Person
) -> None:
    created = (await create(client, ada)).json()
    await client.delete(f"{KEYS}/{created['id']}", headers=ada.headers)
    answer = await client.get(
        f"{API}/audit-events/", params={"user_id": str(ada.id)}, headers=root.headers
    )

    told = [event["event"] for event in reversed(answer.json()["data"])]
    assert told == ["api_key.created", "api_key.revoked"]
    details = {"key_id": created["id"], "name": "import", "scopes": ["reports:read"]}
    assert [event["details"] for event in answer.json()["data"]] == [details] * 2
    assert created["hint"] not in answer.text


async def test_a_key_of_a_superuser_without_the_required_second_factor_is_refused(
    resources: Resources, root: Person
) -> None:
    _, key = await create_api_key(resources, root)
    strict = with_settings(resources, superusers_need_second_factor=True)
    async with serve(strict) as client:
        assert await status_of(client, key) == 403


async def test_a_user_has_a_limited_number_of_keys_that_work(
    resources: Resources, ada: Person
) -> None:
    await create_api_key(resources, ada, expired=True)
    async with serve(with_settings(resources, api_keys_per_user=2)) as client:
        answers = [await create(client, ada) for _ in range(3)]
        refusal = answers[-1].json()
        await client.delete(f"{KEYS}/{answers[0].json()['id']}", headers=ada.headers)
        again = await create(client, ada)

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert refusal["detail"] == "You have 2 API keys, which is the limit. Revoke one first"
    assert again.status_code == 201


async def test_simultaneous_requests_for_keys_do_not_exceed_the_limit(
    committing_resources: Resources,
) -> None:
    ada = await create_user(
        committing_resources, password_hash=await CHEAP_PASSWORDS.hash(PASSWORD)
    )
    async with serve(with_settings(committing_resources, api_keys_per_user=2)) as client:
        answers = await asyncio.gather(*(create(client, ada) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 4
