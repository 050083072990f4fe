from uuid import uuid4

import httpx2
import pytest

from app.core.resources import Resources
from app.models import JobOwner, SignupReport
from app.routes.deps.principals import requires
from tests.support.accounts import API, Person, create_user

ROLES = f"{API}/roles/"
REPORTS = f"{API}/reports/"


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources)


async def reader(client: httpx2.AsyncClient, root: Person) -> str:
    """Create a role that may read reports."""
    data = {"name": "reader", "permissions": ["reports:read"]}
    answer = await client.post(ROLES, json=data, headers=root.headers)
    assert answer.status_code == 201
    return str(answer.json()["id"])


async def status_of(client: httpx2.AsyncClient, person: Person) -> int:
    return (await client.get(REPORTS, headers=person.headers)).status_code


async def test_a_permission_counts_from_the_next_request_on(
    client: httpx2.AsyncClient, ada: Person, root: Person
) -> None:
    role_id = await reader(client, root)
    assert await status_of(client, ada) == 403

    given = f"{API}/users/{ada.id}/roles/{role_id}"
    for _ in range(2):
        assert (await client.put(given, headers=root.headers)).status_code == 200
    assert await status_of(client, ada) == 200
    roles = (await client.get(f"{API}/users/{ada.id}/roles", headers=root.headers)).json()
    assert [role["name"] for role in roles] == ["reader"]

    assert (await client.delete(given, headers=root.headers)).status_code == 200
    assert await status_of(client, ada) == 403


@pytest.mark.parametrize("change", ["permissions", "deletion"])
async def test_a_role_that_changes_counts_from_the_next_request_on(
    client: httpx2.AsyncClient, ada: Person, root: Person, change: str
) -> None:
    role_id = await reader(client, root)
    await client.put(f"{API}/users/{ada.id}/roles/{role_id}", headers=root.headers)
    assert await status_of(client, ada) == 200

    if change == "deletion":
        await client.delete(f"{ROLES}{role_id}", headers=root.headers)
    else:
        data = {"permissions": ["audit:read"]}
        await client.patch(f"{ROLES}{role_id}", json=data, headers=root.headers)
    assert await status_of(client, ada) == 403


async def test_a_superuser_has_every_permission(client: httpx2.AsyncClient, root: Person) -> None:
    assert await status_of(client, root) == 200


async def test_one_permission_is_not_another(
    client: httpx2.AsyncClient, ada: Person, root: Person
) -> None:
    role_id = await reader(client, root)
    await client.put(f"{API}/users/{ada.id}/roles/{role_id}", headers=root.headers)

    refused = await client.post(f"{REPORTS}signups", json={}, headers=ada.headers)
    assert (refused.status_code, refused.json()["detail"]) == (403, "Not enough permissions")
    assert (await client.get(f"{API}/audit-events/", headers=ada.headers)).status_code == 403


def test_a_route_cannot_require_an_unknown_permission() -> None:
    with pytest.raises(ValueError, match="reports:raed"):
        requires("reports:raed")


@pytest.mark.parametrize("permissions", [["reports:raed"], "reports:read", [1]])
async def test_a_role_with_an_unknown_permission_is_refused(
    client: httpx2.AsyncClient, root: Person, permissions: object
) -> None:
    data = {"name": "reader", "permissions": permissions}

    assert (await client.post(ROLES, json=data, headers=root.headers)).status_code == 422


async def test_two_roles_have_two_names(client: httpx2.AsyncClient, root: Person) -> None:
    await reader(client, root)
    again = await client.post(ROLES, json={"name": "reader"}, headers=root.headers)

    assert (again.status_code, again.json()["detail"]) == (
        409,
        "Role with this name already exists",
    )


async def test_an_unknown_role_is_not_found(
    client: httpx2.AsyncClient, ada: Person, root: Person
) -> None:
    for path in (f"{ROLES}{uuid4()}", f"{API}/users/{ada.id}/roles/{uuid4()}"):
        answer = await client.delete(path, headers=root.headers)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Role not found")


async def test_a_report_of_another_user_needs_the_permission(
    client: httpx2.AsyncClient, ada: Person, root: Person
) -> None:
    accepted = await client.post(f"{REPORTS}signups", json={}, headers=root.headers)
    job = accepted.headers["location"]
    assert (await client.get(job, headers=ada.headers)).status_code == 403
    role = {"name": "operator", "permissions": ["jobs:read"]}
    role_id = (await client.post(ROLES, json=role, headers=root.headers)).json()["id"]
    await client.put(f"{API}/users/{ada.id}/roles/{role_id}", headers=root.headers)

    assert (await client.get(job, headers=ada.headers)).status_code == 200


async def test_users_own_the_reports_that_they_request(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, root: Person
) -> None:
    role = {"name": "author", "permissions": ["reports:create"]}
    role_id = (await client.post(ROLES, json=role, headers=root.headers)).json()["id"]
    await client.put(f"{API}/users/{ada.id}/roles/{role_id}", headers=root.headers)
    accepted = await client.post(f"{REPORTS}signups", json={}, headers=ada.headers)

    job = await client.get(accepted.headers["location"], headers=ada.headers)
    assert (accepted.status_code, job.status_code) == (202, 200)
    async with resources.unit_of_work() as uow:
        owner = await uow.session.get(JobOwner, accepted.json()["id"])
        assert owner is not None
        assert owner.user_id == ada.id
        assert await uow.session.get(SignupReport, accepted.json()["id"]) is None
