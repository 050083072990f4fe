"""Parts of the console update while an operator looks at them."""

from playwright.async_api import Page, expect

from app.core.resources import Resources
from tests.core.control.jobs import Paint, add_dead_letter
from tests.pages.browser.conftest import Site
from tests.pages.browser.login import log_in
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.passwords import hash_password


async def log_in_as_root(page: Page, resources: Resources) -> Person:
    root = await create_user(
        resources, "root", superuser=True, password_hash=await hash_password(PASSWORD)
    )
    await log_in(page, root)
    return root


async def test_a_list_of_jobs_offers_what_has_changed_and_keeps_its_filter(
    page: Page, site: Site
) -> None:
    await log_in_as_root(page, site.resources)
    address = "/console/jobs?state=dead&name=Paint"
    await page.goto(address)
    offer = page.get_by_text("Jobs have changed since this list was made.")
    await expect(page.get_by_text("No job is dead and matches.")).to_be_visible()
    await expect(offer).to_be_hidden()

    await add_dead_letter(site.resources, Paint())
    await expect(offer).to_be_visible()
    await page.get_by_role("link", name="Show them now").click()

    await expect(page.get_by_role("rowheader", name="Paint")).to_be_visible()
    await expect(offer).to_be_hidden()
    assert page.url.endswith(address)


async def test_the_overview_changes_by_itself(page: Page, site: Site) -> None:
    await log_in_as_root(page, site.resources)
    await page.goto("/console")
    dead = page.get_by_role("list", name="All queues together").get_by_role("link")
    await expect(dead).to_have_text("0 dead letters")
    await add_dead_letter(site.resources, Paint())

    await expect(dead).to_have_text("1 dead letters")
