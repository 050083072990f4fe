"""Log in on the pages, as a user does."""

from playwright.async_api import Page

from tests.support.accounts import PASSWORD, Person


async def log_in(page: Page, person: Person) -> None:
    await page.goto("/login")
    await page.get_by_label("Email").fill(person.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/account")
