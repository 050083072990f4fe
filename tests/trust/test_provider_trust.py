"""A provider never opens a superuser's account, and other accounts only if it is trusted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.core.resources import Resources
from app.core.security.throttle import open_throttle
from tests.support.accounts import ADA, bearer, create_user, log_in
from tests.support.browser import error_code, open_browser
from tests.support.emails import Mailbox
from tests.support.limits import limits
from tests.support.oidc_provider import TestProvider, run_provider
from tests.support.service import with_settings
from tests.trust.attacks import NEW, add_second_factor, create_key, request_recovery, reset, verify


@pytest.fixture
def careless() -> Iterator[TestProvider]:
    """A provider that verifies any address that its users choose."""
    with run_provider() as provider:
        provider.links_by_email = False
        provider.person["email"] = ADA["email"]
        yield provider


async def failure_of_login(
    resources: Resources, email: str, *, links_by_email: bool = True
) -> str | None:
    """Log in with a provider that vouches for an address, and return the code of the failure."""
    with run_provider() as acme:
        acme.person["email"] = email
        acme.links_by_email = links_by_email
        async with open_browser(resources, acme=acme) as browser:
            return error_code(await browser.log_in())


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_verified_address_opens_an_account_only_at_a_trusted_provider(
    resources: Resources, trusted: bool
) -> None:
    ada = await create_user(resources)
    failure = await failure_of_login(resources, ada.email, links_by_email=trusted)

    assert failure == (None if trusted else "account_not_linked")


async def test_no_provider_opens_the_account_of_a_superuser_by_its_address(
    resources: Resources,
) -> None:
    root = await create_user(resources, "root", superuser=True)

    assert await failure_of_login(resources, root.email) == "account_not_linked"


async def test_a_provider_that_may_not_link_still_creates_new_accounts(
    resources: Resources,
) -> None:
    failure = await failure_of_login(resources, "new@example.com", links_by_email=False)

    assert failure is None


async def test_an_attacker_at_an_untrusted_provider_cannot_prepare_an_account_of_someone_else(
    resources: Resources, careless: TestProvider, mailbox: Mailbox
) -> None:
    """The owner resets the password and gets an account without the attacker."""
    async with open_browser(resources, acme=careless) as attacker:
        assert error_code(await attacker.log_in()) is None
        session = bearer(await attacker.access_token() or "")
        answers = [
            await add_second_factor(attacker.service, session),
            await create_key(attacker.service, session),
        ]
        assert [answer.status_code for answer in answers] == [400, 400]
        await request_recovery(attacker.service)
        token = await mailbox.token_for("reset-password")
        assert (await reset(attacker.service, token)).status_code == 200

        assert error_code(await attacker.log_in()) == "account_not_linked"
        assert (await log_in(attacker.service, password=NEW)).status_code == 200


@pytest.mark.parametrize("required", [True, False])
async def test_a_user_of_an_untrusted_provider_confirms_the_address_and_logs_in_with_it_again(
    resources: Resources, careless: TestProvider, mailbox: Mailbox, required: bool
) -> None:
    strict = with_settings(resources, login_requires_verified_email=required)
    async with open_browser(strict, acme=careless) as browser:
        first = "email_not_verified" if required else None
        assert error_code(await browser.log_in()) == first
        token = await mailbox.token_for("verify-email")
        assert (await verify(browser.service, token)).status_code == 200

        assert error_code(await browser.log_in()) is None
        assert (await browser.me())["email"] == ADA["email"]


async def test_an_attacker_at_an_untrusted_provider_cannot_email_many_strangers(
    resources: Resources, careless: TestProvider
) -> None:
    limited = with_settings(resources, **limits(address=2))
    statuses = []
    async with (
        open_throttle(limited.settings) as throttle,
        open_browser(replace(limited, throttle=throttle), acme=careless) as attacker,
    ):
        for number in range(3):
            careless.person |= {"sub": f"{number}", "email": f"stranger-{number}@example.com"}
            statuses.append((await attacker.log_in()).status_code)

    assert statuses == [303, 303, 429]
