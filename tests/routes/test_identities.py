"""Linked identities: linking, listing, and unlinking them."""

import asyncio
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select, update

from app.core.resources import Resources
from app.models import Identity, User
from tests.support.accounts import API, PASSWORD, Person, bearer, create_user
from tests.support.browser import Browser, error_code, open_browser, with_front_end
from tests.support.oidc_provider import TestProvider
from tests.support.passkeys import passkey_of
from tests.support.passwords import hash_password

IDENTITIES = f"{API}/users/me/identities"


@pytest.fixture
async def ada(resources: Resources) -> Person:
    """A user with a password and a confirmed email."""
    ada = await create_user(resources, password_hash=await hash_password(PASSWORD))
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=User.created_at))
    return ada


@pytest.fixture
def acme(acme: TestProvider) -> TestProvider:
    """A provider that knows her by another email."""
    acme.person["email"] = "lovelace@example.org"
    return acme


async def begin(
    browser: Browser, person: Person, password: str | None = PASSWORD
) -> httpx2.Response:
    body = {"current_password": password, "path": "/settings"}
    return await browser.service.post(f"{IDENTITIES}/acme", json=body, headers=person.headers)


async def link(browser: Browser, person: Person) -> httpx2.Response:
    begun = await begin(browser, person)
    url = await browser.at_provider(begun.json()["authorization_url"])
    return await browser.service.get(url)


async def listed(browser: Browser, headers: dict[str, str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await browser.service.get(IDENTITIES, headers=headers)).json()
    return found


async def test_a_user_links_a_provider_and_then_logs_in_with_it(
    browser: Browser, ada: Person
) -> None:
    answer = await link(browser, ada)

    assert answer.headers["location"].endswith("/settings")
    assert "__Host-refresh_token" not in answer.headers["set-cookie"]
    [identity] = await listed(browser, ada.headers)
    assert (identity["provider"], identity["email"]) == ("acme", "lovelace@example.org")
    await browser.log_in()
    assert (await browser.me())["id"] == str(ada.id)


async def test_linking_twice_changes_nothing(browser: Browser, ada: Person) -> None:
    await link(browser, ada)
    assert error_code(await link(browser, ada)) is None

    assert len(await listed(browser, ada.headers)) == 1


async def test_a_wrong_password_links_nothing(browser: Browser, ada: Person) -> None:
    answer = await begin(browser, ada, "wrong horse")

    assert (answer.status_code, answer.json()["detail"]) == (400, "Incorrect password")
    assert "set-cookie" not in answer.headers


async def test_an_identity_of_another_user_is_not_taken_over(
    browser: Browser, resources: Resources, ada: Person
) -> None:
    await link(browser, ada)
    eve = await create_user(resources, "eve")
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=User.created_at))

    assert error_code(await link(browser, eve)) == "identity_taken"
    await browser.log_in()
    assert (await browser.me())["id"] == str(ada.id)


async def test_linking_needs_a_confirmed_email_on_our_side(
    browser: Browser, resources: Resources
) -> None:
    eve = await create_user(resources, "eve", confirmed=False)

    assert error_code(await link(browser, eve)) == "own_address_not_verified"
    assert await listed(browser, eve.headers) == []


async def test_linking_needs_a_confirmed_email_on_the_providers_side(
    browser: Browser, ada: Person, acme: TestProvider
) -> None:
    acme.person["email_verified"] = False

    assert error_code(await link(browser, ada)) == "address_not_verified"
    assert await listed(browser, ada.headers) == []


async def test_a_user_who_logs_out_meanwhile_links_nothing(
    browser: Browser, resources: Resources, ada: Person
) -> None:
    begun = await begin(browser, ada)
    url = await browser.at_provider(begun.json()["authorization_url"])
    await browser.service.post(f"{API}/logout", headers=ada.headers)

    assert error_code(await browser.service.get(url)) == "session_ended"
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(Identity)) is None


async def test_a_link_that_started_in_another_browser_cannot_be_finished_in_mine(
    browser: Browser, resources: Resources, ada: Person, acme: TestProvider
) -> None:
    begun = await begin(browser, ada)
    url = await browser.at_provider(begun.json()["authorization_url"])
    async with open_browser(with_front_end(resources), acme=acme) as mine:
        assert error_code(await mine.service.get(url)) == "login_expired"

    assert await listed(browser, ada.headers) == []


async def test_an_unlinked_provider_no_longer_logs_the_user_in(
    browser: Browser, ada: Person, acme: TestProvider
) -> None:
    await link(browser, ada)
    [identity] = await listed(browser, ada.headers)
    answer = await browser.service.delete(f"{IDENTITIES}/{identity['id']}", headers=ada.headers)

    assert (answer.status_code, answer.json()) == (200, {"message": "Identity unlinked"})
    acme.person["email_verified"] = False
    assert error_code(await browser.log_in()) == "address_not_verified"


async def test_the_only_way_to_log_in_cannot_be_removed(
    browser: Browser, acme: TestProvider
) -> None:
    await browser.log_in()
    headers = bearer(await browser.access_token() or "")
    [identity] = await listed(browser, headers)
    answer = await browser.service.delete(f"{IDENTITIES}/{identity['id']}", headers=headers)

    assert answer.status_code == 409
    assert "Set a password first" in answer.json()["detail"]
    acme.person["email_verified"] = False
    assert error_code(await browser.log_in()) is None


async def test_with_a_passkey_the_last_provider_may_go_but_then_the_passkey_stays(
    browser: Browser, resources: Resources
) -> None:
    await browser.log_in()
    headers = bearer(await browser.access_token() or "")
    [identity] = await listed(browser, headers)
    async with resources.unit_of_work() as uow:
        user_id = await uow.session.scalar(select(Identity.user_id))
        assert user_id is not None
        uow.session.add(passkey := passkey_of(user_id))
    unlinked = await browser.service.delete(f"{IDENTITIES}/{identity['id']}", headers=headers)
    path = f"{API}/users/me/passkeys/{passkey.id}"
    removed = await browser.service.delete(path, headers=headers)

    assert (unlinked.status_code, removed.status_code) == (200, 409)


async def test_a_provider_and_a_passkey_cannot_both_be_removed_at_once(
    committing_resources: Resources, acme: TestProvider
) -> None:
    async with open_browser(committing_resources, acme=acme) as browser:
        await browser.log_in()
        headers = bearer(await browser.access_token() or "")
        [identity] = await listed(browser, headers)
        async with committing_resources.unit_of_work() as uow:
            user_id = await uow.session.scalar(select(Identity.user_id))
            assert user_id is not None
            uow.session.add(passkey := passkey_of(user_id))
        paths = [f"{IDENTITIES}/{identity['id']}", f"{API}/users/me/passkeys/{passkey.id}"]
        answers = await asyncio.gather(
            *(browser.service.delete(path, headers=headers) for path in paths)
        )

    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_two_identities_cannot_both_be_unlinked_at_once(
    committing_resources: Resources, acme: TestProvider, other: TestProvider
) -> None:
    other.person["email"] = acme.person["email"]
    async with open_browser(committing_resources, acme=acme, other=other) as browser:
        await browser.log_in("acme")
        await browser.log_in("other")
        headers = bearer(await browser.access_token() or "")
        ids = [identity["id"] for identity in await listed(browser, headers)]
        answers = await asyncio.gather(
            *(browser.service.delete(f"{IDENTITIES}/{it}", headers=headers) for it in ids)
        )
        left = await listed(browser, headers)

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(left) == 1


async def test_simultaneous_first_logins_of_one_person_create_one_account(
    committing_resources: Resources, acme: TestProvider
) -> None:
    async with (
        open_browser(committing_resources, acme=acme) as phone,
        open_browser(committing_resources, acme=acme) as laptop,
    ):
        urls = [await phone.answered(), await laptop.answered()]
        answers = await asyncio.gather(phone.service.get(urls[0]), laptop.service.get(urls[1]))
        assert [error_code(answer) for answer in answers] == [None, None]

        assert await phone.me() == await laptop.me()


@pytest.mark.parametrize("identity_id", [uuid4(), None])
async def test_users_cannot_unlink_the_identities_of_others(
    browser: Browser, resources: Resources, ada: Person, identity_id: UUID | None
) -> None:
    await link(browser, ada)
    [identity] = await listed(browser, ada.headers)
    eve = await create_user(resources, "eve")
    answer = await browser.service.delete(
        f"{IDENTITIES}/{identity_id or identity['id']}", headers=eve.headers
    )

    assert (answer.status_code, answer.json()["detail"]) == (404, "Identity not found")
    assert len(await listed(browser, ada.headers)) == 1
