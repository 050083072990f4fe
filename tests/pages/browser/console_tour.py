"""A tour of the console, which visits each page once with some data."""

from collections.abc import AsyncIterator
from datetime import timedelta

from playwright.async_api import Page

from app.core.resources import Resources
from app.models import Role, UserRole
from app.schemas.jobs import BuildSignupReport, DeleteExpired
from app.schemas.role import Permission
from tests.core.control.jobs import Paint, add_dead_letter, describing_itself
from tests.pages.browser.conftest import Site
from tests.pages.browser.tour import follow
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.api_keys import create_api_key
from tests.support.passwords import hash_password


async def console_tour(page: Page, site: Site) -> AsyncIterator[str]:
    """Open the pages, and yield the name of each."""
    root, ada = await furnish(site.resources)
    await page.goto("/console")
    await page.get_by_label("Email").fill(root.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await follow(page, "Log in")
    yield "overview"
    async for name in _jobs(page, site.resources):
        yield name
    async for name in _users(page, ada):
        yield name
    await page.goto("/console/audit?user=" + ada.email)
    yield "audit-trail"
    await page.goto("/console/audit?event=nothing")
    yield "audit-trail-without-a-match"


async def furnish(resources: Resources) -> tuple[Person, Person]:
    """Create a superuser, and a user with one of each."""
    password_hash = await hash_password(PASSWORD)
    root = await create_user(resources, "root", superuser=True, password_hash=password_hash)
    ada = await create_user(resources, "ada", password_hash=password_hash)
    await create_user(resources, "bert", confirmed=False)
    await create_api_key(resources, ada)
    async with resources.unit_of_work() as uow:
        roles = [
            Role(name="operator", permissions=[Permission.READ_CONSOLE, Permission.MANAGE_JOBS]),
            Role(name="analyst", permissions=[Permission.READ_REPORTS]),
        ]
        uow.session.add_all(roles)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=ada.id, role_id=roles[0].id))
    return root, ada


async def _jobs(page: Page, resources: Resources) -> AsyncIterator[str]:
    await page.goto("/console/dead-letters")
    yield "no-dead-letters"
    await page.goto("/console/workers")
    yield "no-workers"
    dead = await add_dead_letter(resources, Paint(color="blue"), error="OSError: no paint is left")
    await add_dead_letter(
        resources, Paint(), error="TimeoutError: the brush did not answer within 30 s"
    )
    async with resources.unit_of_work() as uow:
        uow.enqueue(BuildSignupReport(days=30))
        uow.enqueue(DeleteExpired(), delay=timedelta(hours=1))
    async with describing_itself(resources, dead):
        await page.goto("/console/workers")
        yield "workers"
        await page.goto("/console")
        yield "overview-with-work"
    for state in ("waiting", "scheduled", "running", "dead", "finished"):
        await page.goto(f"/console/jobs?state={state}")
        yield f"jobs-{state}"
    await page.goto("/console/jobs?state=dead&name=Paint&since=yesterday")
    yield "jobs-with-a-wrong-filter"
    await page.goto(f"/console/jobs/{dead}")
    yield "dead-job"
    await page.goto("/console/dead-letters")
    yield "dead-letters"
    await follow(page, "Retry all Paint with OSError")
    yield "retry-all"
    await page.goto("/console/classes")
    yield "job-classes"
    await page.goto("/console/classes/BuildSignupReport")
    yield "job-class"
    await page.goto("/console/schedule")
    yield "schedule"
    await page.goto("/console/enqueue")
    yield "enqueue"
    await page.goto("/console/enqueue/BuildSignupReport")
    await page.get_by_label("Days").fill("0")
    await page.get_by_label("Reason").fill("a look at the form")
    await follow(page, "Enqueue")
    yield "enqueue-with-an-error"
    await page.get_by_label("Days").fill("7")
    await follow(page, "Enqueue")
    yield "enqueued-job"
    await page.goto("/console/queues/base/limits")
    yield "limits"


async def _users(page: Page, ada: Person) -> AsyncIterator[str]:
    await page.goto("/console/users")
    yield "users"
    await page.goto("/console/users?search=zzz")
    yield "users-without-a-match"
    await page.goto(f"/console/users/{ada.id}")
    yield "user"
    await follow(page, "Give a role")
    yield "give-a-role"
    await page.goto(f"/console/users/{ada.id}/do/deactivate")
    await follow(page, "Deactivate")
    yield "deactivate-without-a-reason"
    await page.get_by_label("Reason").fill("asked by phone")
    await follow(page, "Deactivate")
    yield "deactivated"
