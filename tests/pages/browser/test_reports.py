"""The progress of a job, live in a browser."""

from uuid import UUID

from playwright.async_api import Page, expect

from app.core.job_store.live import save_progress
from app.core.queue import BASE
from app.core.worker.base_settings import WorkerSettings
from tests.pages.browser.conftest import Site
from tests.pages.browser.login import log_in
from tests.pages.browser.tour import follow, section
from tests.support.accounts import Person, allow


async def test_a_report_is_live_from_the_click_to_its_chart(
    page: Page, site: Site, ada: Person
) -> None:
    await allow(site.resources, ada, "reports:create")
    await log_in(page, ada)
    await section(page, "Reports")
    await follow(page, "Build the report")
    status = page.get_by_role("status")
    await expect(status).to_have_text("It is waiting for its turn.")

    redis = site.resources.queues[BASE]
    await save_progress(redis, UUID(page.url.rpartition("/")[2]), 0.4, "counted 12 of 30 days")
    await expect(status).to_have_text("counted 12 of 30 days")
    await expect(page.get_by_label("Progress")).to_have_js_property("value", 0.4)

    await site.run_worker(WorkerSettings, using=site.resources)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign-ups")
    await expect(page.get_by_role("img", name="Sign-ups per day")).to_be_visible()
    assert await page.locator("tbody tr").count() == 30
