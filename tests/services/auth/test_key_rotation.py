"""Two changes of SECRET_KEY under load log no user out and lose no second factor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.core.oidc.login_cookie import read_login_state, sign_login_state
from app.core.oidc.login_state import LoginState
from app.core.resources import Resources
from app.core.security.encryption import decrypt
from app.core.security.tokens import new_token
from app.models import TotpFactor
from app.models.base import Base
from app.services.auth.key_rotation import ENCRYPTED_COLUMNS, Progress, reencrypt
from app.services.auth.totp_service import PURPOSE
from tests.support.accounts import (
    API,
    PASSWORD,
    Person,
    bearer,
    create_user,
    log_in,
    open_anonymous_scope,
)
from tests.support.authenticator import Authenticator, enroll_authenticator
from tests.support.passwords import hash_password
from tests.support.secrets import OTHER_SECRET, STRONG_SECRET
from tests.support.service import serve, with_settings

FIRST, SECOND, THIRD = "the first key of this service, as it was", STRONG_SECRET, OTHER_SECRET


def under(resources: Resources, key: str, *others: str) -> Resources:
    """Return resources whose current key is the first one."""
    return with_settings(
        resources,
        secret_key=SecretStr(key),
        secret_key_fallbacks=[SecretStr(other) for other in others],
    )


@asynccontextmanager
async def serving(*deployed: Resources) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Run processes with different keys at the same time, as during a deploy."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serve(each)) for each in deployed]


@dataclass
class Browser:
    """The client of a logged-in user, which any of the processes may answer."""

    access_token: str
    refresh_token: str

    async def work(self, clients: list[httpx2.AsyncClient], rounds: int) -> None:
        for _, client in zip(range(rounds), cycle(clients), strict=False):
            me = await client.get(f"{API}/users/me", headers=bearer(self.access_token))
            assert me.status_code == 200, me.text
            body = {"refresh_token": self.refresh_token}
            tabs = [client.post(f"{API}/login/refresh", json=body) for client in clients[:2]]
            for answer in await asyncio.gather(*tabs):
                assert answer.status_code == 200, answer.text
            self.access_token = answer.json()["access_token"]
            self.refresh_token = answer.json()["refresh_token"]


async def rotate(resources: Resources) -> Progress:
    *_, last = [each async for each in reencrypt(lambda: open_anonymous_scope(resources))]
    return last


async def log_in_with_factor(client: httpx2.AsyncClient, email: str, app: Authenticator) -> None:
    challenge = (await log_in(client, email)).json()["second_factor"]["token"]
    body = {"token": challenge, "code": app.code()}
    answer = await client.post(f"{API}/login/second-factor", json=body)
    assert answer.status_code == 200, answer.text


async def people_with_factors(resources: Resources, count: int) -> list[tuple[str, Authenticator]]:
    password_hash = await hash_password(PASSWORD)
    people = []
    for number in range(count):
        person = await create_user(resources, f"factor{number}", password_hash=password_hash)
        people.append((person.email, await enroll_authenticator(resources, person)))
    return people


async def test_two_rotations_under_load_log_no_user_out_and_lose_no_second_factor(
    committing_resources: Resources,
) -> None:
    first = under(committing_resources, FIRST)
    users = [await create_user(first, f"user{number}") for number in range(3)]
    browsers = [Browser(user.access_token, user.refresh_token) for user in users]
    people = await people_with_factors(first, 5)

    async def work(*deployed: Resources, rotated: Resources, logins: int) -> None:
        async with serving(*deployed) as clients:
            entering = [people.pop() for _ in range(logins)]
            await asyncio.gather(
                *(browser.work(clients, rounds=3) for browser in browsers),
                *(
                    log_in_with_factor(client, *entry)
                    for client, entry in zip(cycle(clients), entering, strict=False)
                ),
                rotate(rotated),
            )

    for old, new in ((FIRST, SECOND), (SECOND, THIRD)):
        # First all processes learn the new key. Then they make it the current key one by one.
        before, after = (
            under(committing_resources, old, new),
            under(committing_resources, new, old),
        )
        await work(under(committing_resources, old), before, rotated=before, logins=0)
        await work(before, after, rotated=after, logins=2)
        await work(after, rotated=after, logins=0)

    final = under(committing_resources, THIRD)
    assert await rotate(final) == Progress("second factors", total=5, done=5)
    await work(final, rotated=final, logins=1)


async def test_a_second_factor_is_encrypted_again_when_it_is_used(
    resources: Resources,
) -> None:
    [(email, app)] = await people_with_factors(under(resources, FIRST), 1)
    rotated = under(resources, SECOND, FIRST)
    async with serve(rotated) as client:
        await log_in_with_factor(client, email, app)

    async with resources.unit_of_work() as uow:
        factor = (await uow.session.scalars(select(TotpFactor))).one()
        alone = under(resources, SECOND).settings
        encrypted, owner = factor.encrypted_secret, factor.user_id
    assert decrypt(alone, PURPOSE, encrypted, owner=owner) == (app.secret, False)


async def test_a_token_of_a_key_that_was_removed_is_refused(resources: Resources) -> None:
    ada = await create_user(under(resources, FIRST))
    for keys, status in (((SECOND, FIRST), 200), ((SECOND,), 401)):
        async with serve(under(resources, *keys)) as client:
            answer = await client.get(f"{API}/users/me", headers=ada.headers)
            assert answer.status_code == status


async def test_a_login_with_a_provider_survives_the_change_of_the_key(
    resources: Resources,
) -> None:
    login = LoginState(secret=new_token(), provider="acme", path="/")
    cookie = sign_login_state(under(resources, FIRST).settings, login)

    assert read_login_state(under(resources, SECOND, FIRST).settings, cookie) == login
    assert read_login_state(under(resources, SECOND).settings, cookie) is None


@pytest.mark.parametrize("keys", [(FIRST, SECOND), (SECOND, FIRST)])
async def test_two_tabs_stay_logged_in_although_two_keys_answer_them(
    committing_resources: Resources, keys: tuple[str, str]
) -> None:
    ada: Person = await create_user(committing_resources)
    body = {"refresh_token": ada.refresh_token}
    one, other = (
        under(committing_resources, *keys),
        under(committing_resources, *reversed(keys)),
    )
    async with serving(one, other) as clients:
        answers = [await client.post(f"{API}/login/refresh", json=body) for client in clients]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["refresh_token"] == answers[1].json()["refresh_token"]


def test_every_encrypted_column_takes_part_in_a_rotation() -> None:
    encrypted = {
        (mapper.class_, attribute.key)
        for mapper in Base.registry.mappers
        for attribute in mapper.column_attrs
        if attribute.key.startswith("encrypted_")
    }

    assert {(each.table, each.secret.key) for each in ENCRYPTED_COLUMNS} == encrypted
