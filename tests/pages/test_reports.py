"""Reports, from the click to the chart, without JavaScript."""

from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings
from tests.pages.conftest import log_in
from tests.support.accounts import PASSWORD, Person, allow, create_user
from tests.support.page_browser import PageBrowser
from tests.support.passwords import hash_password
from tests.support.workers import RunWorker


async def test_a_report_is_watched_until_its_chart_is_there(
    resources: Resources, visitor: PageBrowser, ada: Person, run_worker: RunWorker
) -> None:
    await allow(resources, ada, "reports:create", "reports:read", "jobs:read")
    await log_in(visitor, ada)
    await visitor.follow("Reports")
    assert "You have no reports yet." in visitor.page.text

    page = await visitor.submit("Build the report", days="7")
    assert page.texts["main"].count("It is waiting for its turn.") == 1
    assert '<noscript><meta http-equiv="refresh" content="2" /></noscript>' in page.response.text

    await run_worker(WorkerSettings)
    page = await visitor.open(page.path)
    assert "1 sign-up from" in page.text
    assert page.response.text.count("<rect ") == 7
    assert page.response.text.count('<th scope="row">') == 7

    await visitor.follow("All reports")
    assert "1 sign-up, counted" in " ".join(visitor.page.text.split())


async def test_only_those_who_may_ask_for_reports_see_them(
    resources: Resources, visitor: PageBrowser, ada: Person
) -> None:
    eve = await create_user(resources, "eve", password_hash=await hash_password(PASSWORD))
    await allow(resources, ada, "reports:create")
    await log_in(visitor, ada)
    await visitor.open("/account/reports")
    job = (await visitor.submit("Build the report", days="7")).path
    await visitor.submit("Log out")
    await log_in(visitor, eve)

    assert "Reports" not in visitor.page.links
    assert (await visitor.open("/account/reports")).status == 403
    assert (await visitor.open(job)).status == 403
    assert (await visitor.open(f"{job}/events")).status == 403
