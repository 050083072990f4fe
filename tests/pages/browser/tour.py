"""A tour of every page, in the order in which a user meets them."""

from collections.abc import AsyncIterator
from uuid import UUID

from playwright.async_api import Locator, Page
from sqlalchemy import delete, select, update

from app.core.job_store.live import save_progress
from app.core.queue import BASE
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from app.models import Passkey, Role, TotpFactor, User, UserRole
from tests.pages.browser.conftest import Site
from tests.support.accounts import PASSWORD
from tests.support.authenticator import read_secret

NEW = "a fresh battery"
EMAIL = "ada@example.com"
A_PASSKEY = {
    "name": "my phone",
    "credential_id": b"credential",
    "public_key": b"key",
    "sign_count": 0,
    "transports": [],
    "is_backup_eligible": True,
    "is_backed_up": True,
}


async def tour(page: Page, site: Site) -> AsyncIterator[str]:
    """Visit every page, in each of its states, and yield the name of each."""
    async for name in _first_day(page, site):
        yield name
    async for name in _second_factor(page):
        yield name
    async for name in _account(page, site):
        yield name
    async for name in _work(page, site):
        yield name
    async for name in _recovery(page, site):
        yield name


async def _first_day(page: Page, site: Site) -> AsyncIterator[str]:
    await page.goto("/")
    yield "home"
    await page.goto("/nothing/here")
    yield "not-found"
    await page.goto("/")
    await follow(page, "Sign up")
    yield "sign-up"
    await page.get_by_label("Email").fill("ada at example")
    await page.get_by_label("Password").fill("short")
    await follow(page, "Create account")
    yield "sign-up-with-errors"
    await page.get_by_label("Name").fill("Ada Lovelace")
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Create account")
    yield "signed-up"
    await follow(page, "have the link sent again")
    yield "send-the-link-again"
    await page.goto(await site.emailed_link("verify-email"))
    yield "confirm-email"
    await follow(page, "Confirm my address")
    yield "log-in-after-confirmation"
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill("wrong horse")
    await follow(page, "Log in")
    yield "log-in-with-a-wrong-password"
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Log in")
    yield "account"
    await page.goto("/report-takeover?token=from-an-email")
    yield "report-a-takeover"
    await page.goto("/report-takeover/done")
    yield "takeover-reported"
    await page.goto("/account")


async def _second_factor(page: Page) -> AsyncIterator[str]:
    await section(page, "Second factor")
    yield "second-factor-off"
    await follow(page, "Set up an app")
    yield "authenticator-app"
    await page.get_by_text("Unable to scan it?").click()
    app = read_secret(await page.locator(".secret .code").inner_text())
    await page.get_by_label("Code").fill(app.wrong_code)
    await follow(page, "Turn it on")
    yield "authenticator-app-with-a-wrong-code"
    await page.get_by_label("Code").fill(app.code())
    await follow(page, "Turn it on")
    yield "recovery-codes"
    code = await page.locator(".codes .code").first.inner_text()
    await follow(page, "I have saved them")
    yield "second-factor-on"
    await follow(page, "Remove the second factor")
    yield "remove-the-second-factor"
    await follow(page, "Log out")
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Log in")
    yield "second-step"
    await page.get_by_label("Code").fill(code)
    await follow(page, "Log in")


async def _account(page: Page, site: Site) -> AsyncIterator[str]:
    await page.goto("/account/name")
    yield "name"
    await page.goto("/account/email")
    yield "email"
    await section(page, "Password")
    yield "password"
    if await menu_of(page).is_visible():
        await menu_of(page).click()
        yield "menu"
        await menu_of(page).click()
    await section(page, "Passkeys")
    yield "no-passkeys"
    await follow(page, "Add a passkey")
    yield "new-passkey"
    await section(page, "Sessions")
    yield "sessions"
    await section(page, "API keys")
    yield "no-api-keys"
    await follow(page, "Create a key")
    yield "no-api-key-without-permissions"
    await _allow_reports(site)
    await page.reload()
    yield "new-api-key"
    await page.get_by_label("Name").fill("nightly import")
    await follow(page, "Create key")
    yield "new-api-key-with-an-error"
    await page.get_by_label("reports:read").check()
    await follow(page, "Create key")
    yield "api-key-created"
    await follow(page, "I have copied it")
    yield "api-keys"
    await section(page, "Providers")
    yield "providers"
    await follow(page, "Link Acme")
    yield "link-a-provider"
    await follow(page, "Continue")
    await page.wait_for_url("**/account/providers")
    yield "provider-linked"
    await page.goto("/account/confirm")
    yield "confirm-that-it-is-you"
    await page.goto("/account/delete")
    yield "delete-the-account"


async def _allow_reports(site: Site) -> None:
    async with site.resources.unit_of_work() as uow:
        role = Role(name="reporter", permissions=["reports:read"])
        uow.session.add(role)
        await uow.session.flush()
        for user_id in await uow.session.scalars(select(User.id)):
            uow.session.add(UserRole(user_id=user_id, role_id=role.id))


async def _work(page: Page, site: Site) -> AsyncIterator[str]:
    """Visit the pages that show what is done in the background."""
    await section(page, "Your data")
    yield "your-data"
    await follow(page, "Create a copy")
    yield "your-data-is-collected"
    await site.run_worker(BaseWorker, using=site.resources)
    await page.goto("/account/export")
    yield "your-data-is-ready"
    async with site.resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_superuser=True))
    await page.goto("/account")
    await section(page, "Reports")
    yield "no-reports"
    await follow(page, "Build the report")
    job_id = UUID(page.url.rpartition("/")[2])
    await save_progress(site.resources.queues[BASE], job_id, 0.4, "counted 12 of 30 days")
    await page.goto(page.url)
    yield "report-in-progress"
    await section(page, "Reports")  # with JavaScript, the page would reload itself
    await site.run_worker(BaseWorker, using=site.resources)
    await page.goto(f"/account/reports/{job_id}")
    yield "report"
    await follow(page, "All reports")
    yield "reports"
    async with site.resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_superuser=False))
        await uow.session.execute(delete(TotpFactor))
        passkey = Passkey(user_id=await uow.session.scalar(select(User.id)), **A_PASSKEY)
        uow.session.add(passkey)
    await section(page, "Passkeys")
    yield "passkeys"
    await page.goto(f"/account/passkeys/{passkey.id}/rename")
    yield "rename-a-passkey"
    await follow(page, "Log out")
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Log in")
    yield "second-step-with-a-passkey"
    async with site.resources.unit_of_work() as uow:
        await uow.session.execute(delete(Passkey))
    await page.goto("/login")
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Log in")


async def _recovery(page: Page, site: Site) -> AsyncIterator[str]:
    await follow(page, "Log out")
    await follow(page, "Log in with a passkey")
    yield "log-in-with-a-passkey"
    await follow(page, "Log in with your password")
    await follow(page, "Forgot your password?")
    yield "recover-the-password"
    await page.get_by_label("Email").fill(EMAIL)
    await follow(page, "Send the link")
    yield "email-sent"
    link = await site.emailed_link("reset-password")
    await page.goto(link)
    yield "reset-the-password"
    await page.get_by_label("New password").fill(NEW)
    await follow(page, "Set password")
    await page.goto(link)
    yield "link-no-longer-works"


def menu_of(page: Page) -> Locator:
    return page.get_by_role("navigation").get_by_text("Menu", exact=True)


async def section(page: Page, name: str) -> None:
    """Open a section of the account. On a narrow screen, the sections are in a menu."""
    if await menu_of(page).is_visible():
        await menu_of(page).click()
    async with page.expect_navigation():
        await page.get_by_role("navigation").get_by_role("link", name=name).click()


async def follow(page: Page, name: str) -> None:
    """Click on a link or a button, and wait for the page to which it leads."""
    link = page.get_by_role("link", name=name, exact=True)
    button = page.get_by_role("button", name=name, exact=True)
    async with page.expect_navigation():
        await link.or_(button).click()
