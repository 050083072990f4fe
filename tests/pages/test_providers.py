"""Logging in with the account of a provider, without JavaScript."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.core.resources import Resources
from tests.pages.conftest import log_in
from tests.support.accounts import Person
from tests.support.authenticator import enroll_authenticator
from tests.support.browser import Browser, open_browser
from tests.support.oidc_provider import TestProvider
from tests.support.page_browser import Page, PageBrowser


@dataclass
class TwoSites:
    """A browser that visits our pages and those of a provider."""

    ours: PageBrowser
    browser: Browser

    async def continue_with(self, link: str) -> Page:
        """Follow a link to the provider, log in there, and return the page where that ends."""
        response = await self.ours.client.get(self.ours.page.links[link])
        address = response.headers.get("location", self.ours.page.links[link])
        return await self.ours.open(await self.browser.at_provider(address))


@pytest.fixture
async def sites(resources: Resources, acme: TestProvider) -> AsyncIterator[TwoSites]:
    async with open_browser(resources, acme=acme) as browser:
        yield TwoSites(PageBrowser(browser.service), browser)


async def test_a_new_user_logs_in_with_a_provider(sites: TwoSites) -> None:
    await sites.ours.open("/account/password")
    page = await sites.continue_with("Continue with Acme")

    assert page.path == "/account/password"
    assert "You log in with a provider and have no password yet." in page.text


async def test_a_user_links_a_provider_logs_in_with_it_and_unlinks_it(
    sites: TwoSites, ada: Person
) -> None:
    ours = sites.ours
    await log_in(ours, ada)
    await ours.open("/account/providers")
    assert "No provider is linked yet." in ours.page.text
    await ours.follow("Link Acme")
    await ours.submit("Continue")
    page = await sites.continue_with("Continue")
    assert (page.path, page.alert) == (
        "/account/providers",
        "You can now log in with that provider.",
    )

    await ours.submit("Log out")
    page = await sites.continue_with("Continue with Acme")
    assert page.path == "/account"
    await ours.open("/account/providers")
    page = await ours.submit("Unlink Acme")
    assert page.alert == "That provider is unlinked."


async def test_a_login_with_a_provider_takes_the_second_step_as_well(
    sites: TwoSites, resources: Resources, ada: Person
) -> None:
    await log_in(sites.ours, ada)
    await sites.ours.open("/account/providers")
    await sites.ours.follow("Link Acme")
    await sites.ours.submit("Continue")
    await sites.continue_with("Continue")
    await sites.ours.submit("Log out")
    app = await enroll_authenticator(resources, ada)

    page = await sites.continue_with("Continue with Acme")
    assert page.title == "Enter your code"
    page = await sites.ours.submit("Log in", code=app.code())
    assert page.path == "/account"


async def test_the_only_way_to_log_in_cannot_be_unlinked(sites: TwoSites) -> None:
    await sites.ours.open("/login")
    await sites.continue_with("Continue with Acme")
    await sites.ours.open("/account/providers")

    page = await sites.ours.submit("Unlink Acme")
    assert (page.status, "the only way to log in" in page.text) == (409, True)


async def test_a_login_that_failed_at_the_provider_is_explained(
    sites: TwoSites, acme: TestProvider
) -> None:
    acme.person["email_verified"] = False
    await sites.ours.open("/login")

    page = await sites.continue_with("Continue with Acme")
    assert (page.status, page.title) == (400, "The provider denied the login")
    assert "acme does not vouch for your email address" in page.text


async def test_an_answer_without_a_login_leads_to_the_login_page(sites: TwoSites) -> None:
    page = await sites.ours.open("/api/v1/login/oidc/acme/callback?state=x&code=y")

    assert (page.path, page.alert) == ("/login", "That took too long. Log in again.")
