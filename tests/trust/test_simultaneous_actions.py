"""The result of simultaneous actions on an account is that of some order of the actions."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import combinations_with_replacement

import httpx2
import pytest
from sqlalchemy import delete as delete_rows
from sqlalchemy import select

from app.core.resources import Resources
from app.models import ApiKey, Role, TotpFactor, User, UserSession
from tests.support.accounts import API, PASSWORD, Person, create_user
from tests.support.authenticator import enroll_authenticator
from tests.support.passwords import hash_password
from tests.trust.attacks import ME, NEW, add_second_factor, create_key, request_email_change

Answer = Coroutine[None, None, httpx2.Response]
Act = Callable[[httpx2.AsyncClient, Person, Person], Answer]


def change(**body: object) -> Act:
    def act(client: httpx2.AsyncClient, root: Person, user: Person) -> Answer:
        return client.patch(f"{API}/users/{user.id}", json=body, headers=root.headers)

    return act


def delete(client: httpx2.AsyncClient, root: Person, user: Person) -> Answer:
    return client.delete(f"{API}/users/{user.id}", headers=root.headers)


def remove_factor(client: httpx2.AsyncClient, root: Person, user: Person) -> Answer:
    return client.delete(f"{API}/users/{user.id}/second-factor", headers=root.headers)


OF_ADMINISTRATORS: dict[str, Act] = {
    "deactivate": change(is_active=False),
    "new password": change(password=NEW),
    "new address": change(email="successor@example.net"),
    "promote": change(is_superuser=True),
    "delete": delete,
    "remove the factor": remove_factor,
}


async def test_two_administrators_act_on_one_user_at_the_same_moment(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    other = await create_user(resources, "other-root", superuser=True)
    for pair in combinations_with_replacement(OF_ADMINISTRATORS, 2):
        user = await create_user(resources, "user")
        await enroll_authenticator(resources, user)
        one, two = (OF_ADMINISTRATORS[name] for name in pair)
        answers = await asyncio.gather(one(client, root, user), two(client, other, user))

        statuses = sorted(answer.status_code for answer in answers)
        assert statuses in ([200, 200], [200, 404]), pair
        if statuses == [200, 404]:  # the user was already deleted
            assert {"delete", "remove the factor"} & {*pair}
        async with resources.unit_of_work() as uow:
            await uow.session.execute(delete_rows(User).where(User.id == user.id))


OF_THE_USER: dict[str, Callable[[httpx2.AsyncClient, dict[str, str]], Answer]] = {
    "a key": create_key,
    "a factor": add_second_factor,
    "an address": request_email_change,
    "a password": lambda client, session: client.patch(
        f"{ME}/password",
        json={"current_password": PASSWORD, "new_password": "the thief's own"},
        headers=session,
    ),
}
ENDINGS: dict[str, Act] = {
    "deactivation": change(is_active=False),
    "reset": change(password=NEW),
    "new address": change(email="successor@example.net"),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("what", OF_THE_USER)
async def test_credentials_that_a_thief_adds_while_an_administrator_ends_the_session_do_not_stay(
    client: httpx2.AsyncClient,
    resources: Resources,
    root: Person,
    what: str,
    ending: str,
) -> None:
    """The end of the session undoes earlier changes, and later changes fail."""
    for _ in range(3):
        password_hash = await hash_password(PASSWORD)
        user = await create_user(resources, "user", password_hash=password_hash)
        await asyncio.gather(
            OF_THE_USER[what](client, user.headers), ENDINGS[ending](client, root, user)
        )
        async with resources.unit_of_work() as uow:
            stored = await uow.session.get_one(User, user.id)
            left = [
                table.__name__
                for table in (ApiKey, UserSession)
                if await uow.session.scalar(select(table).where(table.user_id == user.id))
            ]
            pending = stored.new_email
            await uow.session.delete(stored)

        assert (left, pending) == ([], None)


async def test_a_role_that_is_given_while_it_is_deleted_leaves_nothing_behind(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    other = await create_user(resources, "other-root", superuser=True)
    user = await create_user(resources, "user")
    async with resources.unit_of_work() as uow:
        uow.session.add(role := Role(name="reader", permissions=["reports:read"]))
    given, deleted = await asyncio.gather(
        client.put(f"{API}/users/{user.id}/roles/{role.id}", headers=root.headers),
        client.delete(f"{API}/roles/{role.id}", headers=other.headers),
    )

    assert deleted.status_code == 200
    assert given.status_code in {200, 404}
    reports = await client.get(f"{API}/reports/", headers=user.headers)
    assert reports.status_code == 403


async def test_simultaneous_confirmations_confirm_a_factor_once(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    answers = await asyncio.gather(*(add_second_factor(client, ada.headers) for _ in range(3)))

    assert [answer.status_code for answer in answers].count(200) <= 1
    async with resources.unit_of_work() as uow:
        assert len((await uow.session.scalars(select(TotpFactor))).all()) == 1
