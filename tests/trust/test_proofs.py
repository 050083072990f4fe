"""A proof counts only if it is still valid in the transaction of its effect."""

import asyncio
from dataclasses import replace

import httpx2
import pytest

from app.core.resources import Resources
from app.models import Purpose
from app.services.auth.email_token_service import EmailTokenService
from tests.support.accounts import API, PASSWORD, Person, open_anonymous_scope
from tests.support.passwords import HeldPasswords
from tests.support.service import serve
from tests.trust.attacks import ATTACKERS, ME, NEW, credentials_of, reset, stored

PROOF: dict[str, object] = {"current_password": PASSWORD}
REQUESTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "a key": ("POST", f"{ME}/api-keys", PROOF | {"name": "x", "scopes": ["jobs:read"]}),
    "a factor": ("POST", f"{ME}/second-factor", PROOF),
    "an address": ("PATCH", ME, PROOF | {"email": ATTACKERS}),
    "a password": ("PATCH", f"{ME}/password", PROOF | {"new_password": "the attacker's"}),
}


async def reset_by_the_owner(client: httpx2.AsyncClient, resources: Resources, ada: Person) -> None:
    async with open_anonymous_scope(resources) as scope:
        token = await EmailTokenService(scope).issue(
            ada.id, Purpose.RESET_PASSWORD, email=ada.email, lifetime=60
        )
    assert (await reset(client, token)).status_code == 200


@pytest.mark.parametrize("what", REQUESTS)
async def test_a_reset_while_the_attackers_password_is_verified_voids_the_proof(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, what: str
) -> None:
    method, path, body = REQUESTS[what]
    passwords = HeldPasswords()
    async with serve(replace(resources, passwords=passwords)) as slow:
        attack = asyncio.create_task(slow.request(method, path, json=body, headers=ada.headers))
        await passwords.verified.wait()
        await reset_by_the_owner(client, resources, ada)
        passwords.release.set()

        assert (await attack).status_code == 401
    user = await stored(resources, ada)
    assert user.new_email is None
    assert await credentials_of(resources, ada) == []
    login = {"username": ada.email, "password": NEW}
    assert (await client.post(f"{API}/login/access-token", data=login)).status_code == 200
