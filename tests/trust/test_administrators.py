"""Administrators who act on each other at the same moment never remove the last one."""

import asyncio
from collections.abc import Callable, Coroutine

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.core.resources import Resources
from app.models import Role, User
from app.schemas.user import UserUpdate
from app.services.admin_service import AdminService
from app.services.administrators import LastSuperuser
from app.services.personal_data.deletion import delete_due_accounts
from tests.support.accounts import (
    API,
    PASSWORD,
    Person,
    create_user,
    open_anonymous_scope,
)
from tests.support.emails import Mailbox
from tests.support.passwords import hash_password

Act = Callable[[httpx2.AsyncClient, Person, Person], Coroutine[None, None, httpx2.Response]]


async def delete(client: httpx2.AsyncClient, actor: Person, other: Person) -> httpx2.Response:
    return await client.delete(f"{API}/users/{other.id}", headers=actor.headers)


async def demote(client: httpx2.AsyncClient, actor: Person, other: Person) -> httpx2.Response:
    path, body = f"{API}/users/{other.id}", {"is_superuser": False}
    return await client.patch(path, json=body, headers=actor.headers)


async def deactivate(client: httpx2.AsyncClient, actor: Person, other: Person) -> httpx2.Response:
    path, body = f"{API}/users/{other.id}", {"is_active": False}
    return await client.patch(path, json=body, headers=actor.headers)


def name_of(act: Act) -> str:
    return act.__name__


ACTIONS: list[Act] = [delete, demote, deactivate]
PAIRS = [(first, second) for first in ACTIONS for second in ACTIONS]


async def superusers(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        query = select(func.count()).where(User.is_superuser, User.is_active)
        return await uow.session.scalar(query) or 0


async def create_superusers(resources: Resources, number: int) -> tuple[Person, Person]:
    password_hash = await hash_password(PASSWORD)
    first, second = [
        await create_user(
            resources, f"{name}-{number}", superuser=True, password_hash=password_hash
        )
        for name in ("first", "second")
    ]
    return first, second


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=name_of)
async def test_two_administrators_who_remove_each_other_leave_one(
    client: httpx2.AsyncClient, resources: Resources, one: Act, two: Act
) -> None:
    first, second = await create_superusers(resources, 0)
    answers = await asyncio.gather(one(client, first, second), two(client, second, first))

    assert [answer.status_code for answer in answers].count(200) == 1
    assert await superusers(resources) == 1


@pytest.mark.parametrize("act", [demote, deactivate], ids=name_of)
async def test_the_last_administrator_cannot_step_down(
    client: httpx2.AsyncClient, root: Person, act: Act
) -> None:
    answer = await act(client, root, root)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("This is the only active superuser")


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_superuser": False}])
async def test_an_operator_cannot_remove_the_last_administrator_either(
    resources: Resources, root: Person, change: dict[str, bool]
) -> None:
    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(LastSuperuser):
            await AdminService(scope).update(root.id, UserUpdate.model_validate(change))


async def test_an_operator_and_the_last_two_administrators_leave_one(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    first, second = await create_superusers(resources, 0)

    async def operate() -> None:
        async with open_anonymous_scope(resources) as scope:
            await AdminService(scope).update(first.id, UserUpdate(is_active=False))

    await asyncio.gather(operate(), demote(client, first, second), return_exceptions=True)

    assert await superusers(resources) == 1


async def test_an_inactive_administrator_does_not_count(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    first, second = await create_superusers(resources, 0)
    assert (await deactivate(client, first, second)).status_code == 200

    assert (await demote(client, first, first)).status_code == 409


@pytest.mark.parametrize("two", ["deleted", "renamed to the same name", "given"])
async def test_two_administrators_change_a_role_one_after_the_other(
    client: httpx2.AsyncClient, resources: Resources, two: str
) -> None:
    """No request fails with a server error."""
    first, second = await create_superusers(resources, 0)
    async with resources.unit_of_work() as uow:
        uow.session.add_all([reader := Role(name="reader"), writer := Role(name="writer")])
        reader.permissions = writer.permissions = []
    roles = f"{API}/roles"
    requests = {
        "deleted": ("DELETE", f"{roles}/{reader.id}", None),
        "renamed to the same name": ("PATCH", f"{roles}/{writer.id}", {"name": "auditor"}),
        "given": ("PUT", f"{API}/users/{first.id}/roles/{reader.id}", None),
    }
    one = (
        ("PATCH", f"{roles}/{reader.id}", {"name": "auditor"})
        if two == "renamed to the same name"
        else ("DELETE", f"{roles}/{reader.id}", None)
    )
    answers = await asyncio.gather(
        *(
            client.request(method, path, json=body, headers=person.headers)
            for person, (method, path, body) in ((first, one), (second, requests[two]))
        )
    )

    statuses = sorted(answer.status_code for answer in answers)
    expected = {
        "deleted": [[200, 404]],
        "renamed to the same name": [[200, 409]],
        "given": [[200, 200], [200, 404]],
    }
    assert statuses in expected[two]


async def test_a_user_whose_deletion_is_pending_stays_once_promoted(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, root: Person
) -> None:
    """Otherwise, the last administrator could be deleted in a night."""
    ada = await create_user(resources, password_hash=await hash_password(PASSWORD))
    assert (await client.delete(f"{API}/users/me", headers=ada.headers)).status_code == 200
    promotion = {"is_superuser": True}
    await client.patch(f"{API}/users/{ada.id}", json=promotion, headers=root.headers)
    assert (await demote(client, root, root)).status_code == 200
    await let_deletions_be_due(resources)

    assert await superusers(resources) == 1
    emails = await mailbox.receive()
    assert "Your account was given the role superuser." in "".join(
        email.text or "" for email in emails
    )


async def test_a_superuser_is_not_deleted_although_the_deletion_is_due(
    resources: Resources,
) -> None:
    await create_superusers(resources, 0)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(deletion_due_at=func.now()))
    await let_deletions_be_due(resources)

    assert await superusers(resources) == 2


async def let_deletions_be_due(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        waiting = update(User).where(User.deletion_due_at.is_not(None))
        await uow.session.execute(waiting.values(deletion_due_at=func.now()))
    await delete_due_accounts(lambda: open_anonymous_scope(resources))


async def test_a_stolen_administrator_cannot_flood_a_stranger_with_test_emails(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    first, second = await create_superusers(resources, 0)
    statuses = []
    for number in range(12):
        person, to = (first, second)[number % 2], "Victim@example.net"
        answer = await client.post(
            f"{API}/utils/test-email/", params={"email_to": to}, headers=person.headers
        )
        statuses.append(answer.status_code)

    assert statuses == [201] * 10 + [429] * 2
