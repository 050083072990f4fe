"""Users manage their accounts in a browser."""

import pytest
from playwright.async_api import Browser, Page, expect

from app.core.worker.base_settings import WorkerSettings as BaseWorker
from tests.pages.browser.conftest import Site, open_tab
from tests.pages.browser.login import log_in
from tests.pages.browser.tour import NEW, follow, section
from tests.support.accounts import PASSWORD, Person
from tests.support.authenticator import read_secret


@pytest.fixture
async def user(page: Page, ada: Person) -> Page:
    """The tab of a user who has logged in."""
    await log_in(page, ada)
    return page


async def test_a_user_changes_the_password_after_a_mistake(user: Page, ada: Person) -> None:
    await section(user, "Password")
    await user.get_by_label("Current password").fill("wrong horse")
    await user.get_by_label("New password").fill(NEW)
    await follow(user, "Change password")
    await expect(user.get_by_label("Current password")).to_be_focused()
    await user.get_by_label("Current password").fill(PASSWORD)
    await user.get_by_label("New password").fill(NEW)
    await follow(user, "Change password")
    await expect(user.get_by_role("status")).to_contain_text("Your password is changed.")

    await user.get_by_label("Email").fill(ada.email)
    await user.get_by_label("Password").fill(NEW)
    await follow(user, "Log in")
    await expect(user.get_by_role("heading", level=1)).to_have_text("Your account")


async def test_a_user_ends_the_session_of_another_browser(
    user: Page, chromium: Browser, site: Site, ada: Person
) -> None:
    async with open_tab(chromium, site) as other:
        await log_in(other, ada)
        await section(user, "Sessions")
        await user.get_by_role("button", name="End").first.click()
        await expect(user.get_by_role("status")).to_have_text("That session has ended.")

        await other.goto("/account")
        await expect(other.get_by_role("status")).to_have_text("Log in to continue.")


async def test_a_user_takes_the_account_back_from_a_thief(
    user: Page, chromium: Browser, site: Site, ada: Person
) -> None:
    await section(user, "Password")
    await user.get_by_label("Current password").fill(PASSWORD)
    await user.get_by_label("New password").fill(NEW)
    await follow(user, "Change password")
    async with open_tab(chromium, site) as owner:
        await owner.goto(await site.emailed_link("report-takeover"))
        await follow(owner, "This wasn’t me")  # noqa: RUF001  as it is printed
        await expect(owner.get_by_role("heading", level=1)).to_have_text("Your account is safe")
        await owner.goto(await site.emailed_link("reset-password"))
        await owner.get_by_label("New password").fill("another fresh battery")
        await follow(owner, "Set password")
        await owner.get_by_label("Email").fill(ada.email)
        await owner.get_by_label("Password").fill("another fresh battery")
        await follow(owner, "Log in")
        await expect(owner.get_by_role("heading", level=1)).to_have_text("Your account")


async def test_a_user_gets_a_copy_of_the_data(user: Page, site: Site, ada: Person) -> None:
    await section(user, "Your data")
    await follow(user, "Create a copy")
    await expect(user.get_by_text("We are collecting your data.")).to_be_visible()
    await site.run_worker(BaseWorker, using=site.resources)
    await user.goto("/account/export")
    await expect(user.get_by_text("ready")).to_be_visible()

    copy = await user.request.get(await site.emailed_link("api/v1/personal-data"))
    assert ada.email in await copy.text()


async def test_a_user_deletes_the_account_and_returns_in_time(user: Page, ada: Person) -> None:
    await follow(user, "delete your account")
    await user.get_by_role("button").last.click()
    await expect(user.get_by_role("status")).to_contain_text("your account will be deleted")
    await user.goto("/account")
    await expect(user.get_by_label("Email")).to_be_visible()

    await log_in(user, ada)
    await expect(user.get_by_role("heading", level=1)).to_have_text("Your account")


async def test_a_user_changes_the_address(user: Page, site: Site) -> None:
    await user.goto("/account/email")
    await user.get_by_label("Email").fill("ada at example")
    await follow(user, "Send the link")
    await expect(user.get_by_label("Email")).to_have_accessible_description(
        "This is not an email address."
    )
    await user.get_by_label("Email").fill("countess@example.com")
    await follow(user, "Send the link")
    await user.goto(await site.emailed_link("verify-email"))
    await follow(user, "Confirm my address")
    await expect(user.locator("dd").filter(has_text="countess@example.com")).to_be_visible()


async def test_a_new_user_logs_in_with_a_provider(page: Page) -> None:
    await page.goto("/login")
    await page.get_by_role("link", name="Continue with Acme").click()
    await page.wait_for_url("**/account")
    await section(page, "Providers")
    await expect(page.locator(".things .name")).to_have_text("Acme")


async def test_a_recovery_code_replaces_a_lost_phone(user: Page, ada: Person) -> None:
    await section(user, "Second factor")
    await follow(user, "Set up an app")
    await user.get_by_text("Unable to scan it?").click()
    app = read_secret(await user.locator(".secret .code").inner_text())
    await user.get_by_label("Code").fill(app.code())
    await follow(user, "Turn it on")
    code = await user.locator(".codes .code").first.inner_text()
    await follow(user, "Log out")
    await user.get_by_label("Email").fill(ada.email)
    await user.get_by_label("Password").fill(PASSWORD)
    await follow(user, "Log in")
    await user.get_by_label("Code").fill(code)
    await follow(user, "Log in")
    await expect(user.get_by_role("heading", level=1)).to_have_text("Your account")


async def test_a_copy_is_asked_for_by_keyboard_alone(user: Page) -> None:
    await user.goto("/account/export")
    for _ in range(40):
        await user.keyboard.press("Tab")
        if await user.evaluate("document.activeElement.textContent") == "Create a copy":
            break
    await user.keyboard.press("Enter")
    await expect(user.get_by_role("status").first).to_contain_text("We are collecting your data")
