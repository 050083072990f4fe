"""Superusers must have a second factor with SUPERUSERS_NEED_SECOND_FACTOR."""

from collections import defaultdict
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.core.resources import Resources
from tests.routes.operations import GUARDED, QUERIES
from tests.support.accounts import API, PASSWORD, Person, create_user
from tests.support.authenticator import read_secret
from tests.support.passwords import hash_password
from tests.support.service import serve, with_settings

FACTOR = f"{API}/users/me/second-factor"
ALLOWED = {
    f"GET {FACTOR}",
    f"POST {FACTOR}",
    f"POST {FACTOR}/confirm",
    f"POST {FACTOR}/recovery-codes",
    f"POST {FACTOR}/disable",
    f"GET {API}/users/me/passkeys",
    f"POST {API}/users/me/passkeys",
    f"POST {API}/users/me/passkeys/options",
    f"POST {API}/login/reauthenticate",
    f"POST {API}/login/reauthenticate/options",
    f"POST {API}/logout",
    f"POST {API}/logout/all",
}
"""The routes that a superuser may use before setting up the factor."""


@pytest.fixture
async def client(resources: Resources) -> AsyncIterator[httpx2.AsyncClient]:
    strict = with_settings(resources, superusers_need_second_factor=True)
    async with serve(strict) as client:
        yield client


@pytest.fixture
async def root(resources: Resources) -> Person:
    password_hash = await hash_password(PASSWORD)
    return await create_user(resources, "root", superuser=True, password_hash=password_hash)


async def test_a_superuser_without_the_factor_may_only_set_it_up(
    client: httpx2.AsyncClient, root: Person
) -> None:
    ids = defaultdict(lambda: str(root.id), email=root.email, provider="acme")
    for operation in GUARDED:
        if str(operation) in ALLOWED:
            continue
        answer = await client.request(
            operation.method,
            operation.path.format_map(ids),
            headers=root.headers,
            json=operation.body,
            params=QUERIES.get(operation.id),
        )
        assert answer.status_code == 403, operation
        assert answer.json()["detail"] == "Set up a second factor first"
    assert {str(operation) for operation in GUARDED} >= ALLOWED


async def test_a_superuser_may_do_everything_right_after_the_factor_is_set_up(
    client: httpx2.AsyncClient, root: Person
) -> None:
    proof = {"current_password": PASSWORD}
    begun = await client.post(FACTOR, json=proof, headers=root.headers)
    assert (await client.get(f"{API}/users/", headers=root.headers)).status_code == 403
    code = read_secret(begun.json()["secret"]).code()
    await client.post(f"{FACTOR}/confirm", json={"code": code}, headers=root.headers)
    assert (await client.get(f"{API}/users/", headers=root.headers)).status_code == 200

    await client.post(f"{FACTOR}/disable", json=proof, headers=root.headers)
    assert (await client.get(f"{API}/users/", headers=root.headers)).status_code == 403


async def test_other_users_need_no_second_factor(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    ada = await create_user(resources)

    assert (await client.get(f"{API}/users/me", headers=ada.headers)).status_code == 200


async def test_a_superuser_without_the_factor_may_log_out(
    client: httpx2.AsyncClient, root: Person
) -> None:
    assert (await client.post(f"{API}/logout", headers=root.headers)).status_code == 200
