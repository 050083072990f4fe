"""Requests from pages of other sites do not change the login of a browser."""

import httpx2
import pytest

from app.core.resources import Resources
from tests.support.accounts import API, LOGIN, PASSWORD, Person, create_user, log_in
from tests.support.authenticator import enroll_authenticator
from tests.support.passwords import hash_password

EVIL = {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}
OURS = {"Origin": "https://service.example.com", "Sec-Fetch-Site": "same-origin"}
IN_COOKIE = {"refresh_token": "cookie"}


async def test_a_form_of_another_site_does_not_log_a_browser_into_the_attackers_account(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    form = {"username": ada.email, "password": PASSWORD}
    evil = await client.post(LOGIN, params=IN_COOKIE, data=form, headers=EVIL)
    ours = await client.post(LOGIN, params=IN_COOKIE, data=form, headers=OURS)

    assert (evil.status_code, "set-cookie" in evil.headers) == (403, False)
    assert (ours.status_code, "set-cookie" in ours.headers) == (200, True)


async def test_the_second_step_from_another_site_does_not_log_a_browser_in(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    challenge = (await log_in(client)).json()["second_factor"]
    step = {"token": challenge["token"], "code": app.code()}
    path = f"{API}/login/second-factor"
    evil = await client.post(path, params=IN_COOKIE, json=step, headers=EVIL)
    ours = await client.post(path, params=IN_COOKIE, json=step, headers=OURS)

    assert (evil.status_code, "set-cookie" in evil.headers) == (403, False)
    assert (ours.status_code, "set-cookie" in ours.headers) == (200, True)


async def test_a_front_end_elsewhere_still_gets_its_tokens_in_the_body(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    form = {"username": ada.email, "password": PASSWORD}
    answer = await client.post(LOGIN, data=form, headers=EVIL)

    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


@pytest.mark.parametrize(("headers", "status"), [(EVIL, 403), (OURS, 200)], ids=["evil", "ours"])
async def test_another_site_cannot_log_a_browser_out(
    client: httpx2.AsyncClient, ada: Person, headers: dict[str, str], status: int
) -> None:
    cookie = {"Cookie": f"__Host-refresh_token={ada.refresh_token}"}
    answer = await client.post(f"{API}/logout", headers=headers | cookie)
    me = await client.get(f"{API}/users/me", headers=ada.headers)

    assert (answer.status_code, me.status_code == 200) == (status, status == 403)


async def test_a_cookie_of_a_login_with_a_provider_is_set_for_our_own_pages_only(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    bob = await create_user(resources, "bob", password_hash=await hash_password(PASSWORD))
    path = f"{API}/users/me/identities/acme"
    body = {"current_password": PASSWORD}
    evil = await client.post(path, json=body, headers=bob.headers | EVIL)
    ours = await client.post(path, json=body, headers=bob.headers | OURS)

    assert (evil.status_code, ours.status_code) == (403, 404)  # no provider is configured
