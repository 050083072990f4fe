"""What a provider may open: never a superuser's account, and others only where it is trusted to."""

import pytest

from app.core.resources import Resources
from tests.support.accounts import create_user
from tests.support.browser import error_code, open_browser
from tests.support.oidc_provider import run_provider


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
