"""Passkeys in a browser whose authenticator is Chromium's own virtual one."""

from playwright.async_api import Page, expect

from tests.pages.browser.login import log_in
from tests.pages.browser.tour import follow, section
from tests.support.accounts import PASSWORD, Person

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


async def test_a_user_adds_a_passkey_logs_in_with_it_renames_it_and_removes_it(
    page: Page, ada: Person
) -> None:
    await add_authenticator(page)
    await log_in(page, ada)
    await section(page, "Passkeys")
    await expect(page.get_by_text("You have no passkeys yet.")).to_be_visible()
    await follow(page, "Add a passkey")
    await page.get_by_label("Name").fill("my phone")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    await expect(page.get_by_role("status")).to_have_text("Your passkey is added.")

    await follow(page, "Log out")
    await follow(page, "Log in with a passkey")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url("**/account")

    await follow(page, "Log out")
    await page.get_by_label("Email").fill(ada.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Log in")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Use your passkey")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url("**/account")

    await section(page, "Passkeys")
    await follow(page, "Rename my phone")
    await page.get_by_label("Name").fill("my old phone")
    await follow(page, "Save")
    await page.get_by_text("Remove", exact=False).first.click()
    await follow(page, "Remove my old phone")
    await expect(page.get_by_role("status")).to_have_text("That passkey is removed.")


async def test_without_a_passkey_the_page_says_what_is_wrong(page: Page) -> None:
    await add_authenticator(page)
    await page.goto("/login/passkey")
    await page.get_by_role("button", name="Use a passkey").click()

    await expect(page.get_by_role("alert")).to_contain_text("found no passkey")


async def add_authenticator(page: Page) -> None:
    """Add a virtual authenticator whose user always agrees."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
