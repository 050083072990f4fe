"""Further ways into an account: linking, listing and taking them away."""

import asyncio
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select, update

from app.core.resources import Resources
from app.core.security import hash_password
from app.models import Identity, User
from tests.accounts import API, PASSWORD, Person, bearer, someone
from tests.browser import Browser, browsing, error_of
from tests.oidc_provider import TestProvider

IDENTITIES = f"{API}/users/me/identities"


@pytest.fixture
async def ada(resources: Resources) -> Person:
    """Somebody with a password and a confirmed address."""
    ada = await someone(resources, password_hash=await hash_password(PASSWORD))
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=User.created_at))
    return ada


@pytest.fixture
def acme(acme: TestProvider) -> TestProvider:
    """A provider that knows her under another address."""
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


async def test_who_is_logged_in_links_a_provider_and_gets_in_by_it(
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
    assert error_of(await link(browser, ada)) is None

    assert len(await listed(browser, ada.headers)) == 1


@pytest.mark.parametrize("password", ["wrong horse", None])
async def test_linking_needs_the_password_of_whoever_has_one(
    browser: Browser, ada: Person, password: str | None
) -> None:
    answer = await begin(browser, ada, password)

    assert (answer.status_code, answer.json()["detail"]) == (400, "Incorrect password")
    assert "set-cookie" not in answer.headers


async def test_an_identity_of_somebody_else_is_not_taken_over(
    browser: Browser, resources: Resources, ada: Person
) -> None:
    await link(browser, ada)
    eve = await someone(resources, "eve")
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(email_verified_at=User.created_at))

    assert error_of(await link(browser, eve)) == "identity_taken"
    await browser.log_in()
    assert (await browser.me())["id"] == str(ada.id)


async def test_linking_needs_a_confirmed_address_on_our_side(
    browser: Browser, resources: Resources
) -> None:
    eve = await someone(resources, "eve")

    assert error_of(await link(browser, eve)) == "own_address_not_verified"
    assert await listed(browser, eve.headers) == []


async def test_linking_needs_a_confirmed_address_on_the_providers_side(
    browser: Browser, ada: Person, acme: TestProvider
) -> None:
    acme.person["email_verified"] = False

    assert error_of(await link(browser, ada)) == "address_not_verified"
    assert await listed(browser, ada.headers) == []


async def test_who_logs_out_meanwhile_links_nothing(
    browser: Browser, resources: Resources, ada: Person
) -> None:
    begun = await begin(browser, ada)
    url = await browser.at_provider(begun.json()["authorization_url"])
    await browser.service.post(f"{API}/logout", headers=ada.headers)

    assert error_of(await browser.service.get(url)) == "session_ended"
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(Identity)) is None


async def test_a_link_that_was_begun_in_another_browser_does_not_end_in_mine(
    browser: Browser, resources: Resources, ada: Person, acme: TestProvider
) -> None:
    begun = await begin(browser, ada)
    url = await browser.at_provider(begun.json()["authorization_url"])
    async with browsing(resources, acme=acme) as mine:
        assert error_of(await mine.service.get(url)) == "login_expired"

    assert await listed(browser, ada.headers) == []


async def test_a_linked_provider_is_unlinked_and_lets_nobody_in_any_more(
    browser: Browser, ada: Person, acme: TestProvider
) -> None:
    await link(browser, ada)
    [identity] = await listed(browser, ada.headers)
    answer = await browser.service.delete(f"{IDENTITIES}/{identity['id']}", headers=ada.headers)

    assert (answer.status_code, answer.json()) == (200, {"message": "Identity unlinked"})
    acme.person["email_verified"] = False
    assert error_of(await browser.log_in()) == "address_not_verified"


async def test_the_only_way_in_stays(browser: Browser, acme: TestProvider) -> None:
    await browser.log_in()
    headers = bearer(await browser.access_token() or "")
    [identity] = await listed(browser, headers)
    answer = await browser.service.delete(f"{IDENTITIES}/{identity['id']}", headers=headers)

    assert answer.status_code == 409
    assert "Set a password first" in answer.json()["detail"]
    acme.person["email_verified"] = False
    assert error_of(await browser.log_in()) is None


async def test_of_two_ways_in_one_stays_even_when_both_are_unlinked_at_once(
    committing: Resources, acme: TestProvider, other: TestProvider
) -> None:
    other.person["email"] = acme.person["email"]
    async with browsing(committing, acme=acme, other=other) as browser:
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


async def test_simultaneous_first_logins_of_one_person_make_one_account(
    committing: Resources, acme: TestProvider
) -> None:
    async with (
        browsing(committing, acme=acme) as phone,
        browsing(committing, acme=acme) as laptop,
    ):
        urls = [await phone.answered(), await laptop.answered()]
        answers = await asyncio.gather(phone.service.get(urls[0]), laptop.service.get(urls[1]))
        assert [error_of(answer) for answer in answers] == [None, None]

        assert await phone.me() == await laptop.me()


@pytest.mark.parametrize("identity_id", [uuid4(), None])
async def test_nobody_unlinks_what_is_not_theirs(
    browser: Browser, resources: Resources, ada: Person, identity_id: UUID | None
) -> None:
    await link(browser, ada)
    [identity] = await listed(browser, ada.headers)
    eve = await someone(resources, "eve")
    answer = await browser.service.delete(
        f"{IDENTITIES}/{identity_id or identity['id']}", headers=eve.headers
    )

    assert (answer.status_code, answer.json()["detail"]) == (404, "Identity not found")
    assert len(await listed(browser, ada.headers)) == 1
