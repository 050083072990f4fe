from dataclasses import replace

import bcrypt
import httpx2
import pytest
from sqlalchemy import select

from app.core.resources import Resources
from app.core.security.passwords import Passwords
from app.models import User
from tests.support.accounts import ADA, API, PASSWORD, SIGNUP, Person, create_user, log_in
from tests.support.passwords import hash_password
from tests.support.service import serve, with_settings

CHANGE = f"{API}/users/me/password"
NEW = "a fresh battery"


async def change(
    client: httpx2.AsyncClient, person: Person, current: str, new: str
) -> httpx2.Response:
    body = {"current_password": current, "new_password": new}
    return await client.patch(CHANGE, json=body, headers=person.headers)


async def test_a_changed_password_logs_in_and_the_old_one_does_not(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    other = (await log_in(client)).json()
    answer = await change(client, ada, PASSWORD, NEW)

    assert answer.json() == {"message": "Password updated successfully"}
    assert (await log_in(client, password=PASSWORD)).status_code == 400
    assert (await log_in(client, password=NEW)).status_code == 200
    for token in (ada.access_token, other["access_token"]):
        me = await client.get(f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 401


@pytest.mark.parametrize(
    ("passwords", "answered"),
    [
        (("wrong horse", NEW), (400, "Incorrect password")),
        ((PASSWORD, PASSWORD), (400, "New password cannot be the same as the current one")),
        ((PASSWORD, "password1"), (422, "Password is too common")),
        ((PASSWORD, "ada-2026"), (422, "Password is too similar to your name or email")),
    ],
)
async def test_a_change_is_refused_with_its_reason(
    client: httpx2.AsyncClient, ada: Person, passwords: tuple[str, str], answered: tuple[int, str]
) -> None:
    answer = await change(client, ada, *passwords)

    assert (answer.status_code, answer.json()["detail"]) == answered
    assert (await log_in(client)).status_code == 200


async def test_a_user_without_a_password_cannot_log_in_or_change_it(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    bob = await create_user(resources, "bob")

    assert (await log_in(client, bob.email, "")).status_code in {400, 422}
    assert (await log_in(client, bob.email)).status_code == 400
    assert (await change(client, bob, "", NEW)).status_code == 400


@pytest.mark.parametrize("password", ["iloveyou", "adalovelace", "Ada2026!"])
async def test_signing_up_with_a_password_that_is_easy_to_guess_names_the_field(
    client: httpx2.AsyncClient, password: str
) -> None:
    answer = await client.post(SIGNUP, json=ADA | {"password": password})

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["loc"]) == (422, ["body", "password"])
    assert password not in answer.text


async def test_the_minimum_length_is_a_setting(resources: Resources) -> None:
    strict = with_settings(resources, password_min_length=15)
    async with serve(strict) as client:
        short = await client.post(SIGNUP, json=ADA | {"password": "fourteen chars"})
        long = await client.post(SIGNUP, json=ADA | {"password": "fifteen letters"})

    assert short.json()["detail"] == "Password should have at least 15 characters"
    assert (short.status_code, long.status_code) == (422, 201)


@pytest.mark.parametrize(
    "password",
    ["x9" * 36 + "y", "🐎🔋📎✅🐎🔋📎✅", "cafe\u0301 au lait", "x9" * 64],
    ids=["73 bytes", "emoji", "NFD", "128"],
)
async def test_a_password_may_contain_any_characters(
    client: httpx2.AsyncClient, password: str
) -> None:
    await client.post(SIGNUP, json=ADA | {"password": password})

    assert (await log_in(client, password=password)).status_code == 200
    assert (await log_in(client, password=password[:-1])).status_code == 400


async def test_another_unicode_form_of_a_letter_is_the_same_password(
    client: httpx2.AsyncClient,
) -> None:
    await client.post(SIGNUP, json=ADA | {"password": "caf\u00e9 au lait"})

    assert (await log_in(client, password="cafe\u0301 au lait")).status_code == 200


async def test_a_login_renews_a_hash_of_older_parameters(
    resources: Resources,
) -> None:
    await create_user(resources, password_hash=await hash_password(PASSWORD))

    async with serve(replace(resources, passwords=Passwords())) as client:
        assert (await log_in(client)).status_code == 200
        async with resources.unit_of_work() as uow:
            stored = await uow.session.scalar(select(User.password_hash))
        assert stored is not None
        assert "m=19456,t=2,p=1" in stored
        assert (await log_in(client)).status_code == 200


async def test_an_imported_user_logs_in_with_a_bcrypt_hash_which_is_upgraded(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    imported = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await create_user(resources, password_hash=imported)

    assert (await log_in(client, password="a wrong one")).status_code == 400
    assert (await log_in(client)).status_code == 200
    async with resources.unit_of_work() as uow:
        stored = await uow.session.scalar(select(User.password_hash))
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert (await log_in(client)).status_code == 200
