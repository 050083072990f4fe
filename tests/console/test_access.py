"""Each page of the console is open to the right kinds of users."""

from collections.abc import Mapping
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import func, update

from app.core.resources import Resources
from app.models import UserSession
from app.schemas.role import Permission
from tests.console.access import ACCESS, path_of
from tests.console.conftest import EVERYTHING, OpenBrowser, create_operator
from tests.core.control.jobs import Paint, add_dead_letter
from tests.routes.operations import all_pages
from tests.support.accounts import Person
from tests.support.browser import SERVICE
from tests.support.service import serve, with_settings

FRONT_END = "https://front.example.com"

PROVEN = {
    # Actions on many jobs, on the accounts of others, and on the whole trail. For actions on one
    # job, tests/console/test_jobs.py has the destructive ones.
    *("GET /console/dead-letters/{action}", "POST /console/dead-letters/{action}"),
    *("GET /console/users/{user_id}/do/{action}", "POST /console/users/{user_id}/do/{action}"),
    *("GET /console/users/{user_id}/roles", "POST /console/users/{user_id}/roles"),
    "GET /console/users/{user_id}/{kind}/{id}/remove",
    "POST /console/users/{user_id}/{kind}/{id}/remove",
    "GET /console/audit/export.csv",
}


Parts = Mapping[str, object]
Answers = Mapping[str, httpx2.Response]


@pytest.fixture
async def parts(resources: Resources, ada: Person) -> Parts:
    """The objects in the paths: a user with a session, and a dead letter."""
    job_id = await add_dead_letter(resources, Paint())
    return {"user_id": ada.id, "id": ada.session_id, "job_id": job_id}


def test_every_page_of_the_console_is_listed() -> None:
    pages = [f"{method} {path}" for method, path in all_pages() if path.startswith("/console")]

    assert sorted(pages) == sorted(ACCESS)


async def test_each_page_of_the_console_is_open_to_those_who_need_it(
    open_browser: OpenBrowser, resources: Resources, root: Person, parts: Parts
) -> None:
    reader = await create_operator(resources, "reader", Permission.READ_CONSOLE)
    operator = await create_operator(resources, "operator", *EVERYTHING)
    columns = [statuses(await ask(open_browser, it, parts)) for it in (reader, operator, root)]

    assert {page: tuple(column[page] for column in columns) for page in ACCESS} == ACCESS


async def test_the_console_is_closed_to_users_without_its_permission(
    open_browser: OpenBrowser, resources: Resources, ada: Person, parts: Parts
) -> None:
    others = [each for each in EVERYTHING if each is not Permission.READ_CONSOLE]
    operator = await create_operator(resources, "operator", *others)

    for person in (ada, operator):
        answers = statuses(await ask(open_browser, person, parts))
        assert answers == dict.fromkeys(ACCESS, 403), person.email


async def test_a_page_that_is_closed_to_a_user_says_so(
    open_browser: OpenBrowser, resources: Resources, parts: Parts
) -> None:
    reader = await create_operator(resources, "reader", Permission.READ_CONSOLE)
    answers = await ask(open_browser, reader, parts)

    closed = [answer.text for answer in answers.values() if answer.status_code == 403]
    assert all("Your account may not open this page or do this." in text for text in closed)


async def test_the_console_asks_a_stranger_to_log_in_and_leads_back(
    open_browser: OpenBrowser, parts: Parts
) -> None:
    answers = await ask(open_browser, None, parts)

    assert statuses(answers) == dict.fromkeys(ACCESS, 303)
    assert locations(answers) == {page: f"/login?next={path_of(page, parts)}" for page in ACCESS}


async def test_a_sensitive_action_asks_for_a_recent_proof(
    open_browser: OpenBrowser, resources: Resources, root: Person, parts: Parts
) -> None:
    async with resources.unit_of_work() as uow:
        yesterday = func.now() - timedelta(days=1)
        await uow.session.execute(update(UserSession).values(proven_at=yesterday))
    asked = locations(await ask(open_browser, root, parts))

    assert asked == {page: f"/account/confirm?next={path_of(page, parts)}" for page in PROVEN}


async def test_a_form_of_another_site_changes_nothing_in_the_console(
    open_browser: OpenBrowser, root: Person, parts: Parts
) -> None:
    console = await open_browser(root)
    evil = {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}
    forms = {page: path_of(page, parts) for page in ACCESS if page.startswith("POST")}
    answers = {
        page: await console.client.post(path, headers=evil, data={"reason": "evil"})
        for page, path in forms.items()
    }

    assert statuses(answers) == dict.fromkeys(forms, 403)


async def test_a_listed_front_end_does_not_read_the_console(
    resources: Resources, root: Person
) -> None:
    allowed = {"cors_origins": [FRONT_END], "cors_credentials": True}
    async with serve(with_settings(resources, **allowed), SERVICE) as client:
        client.cookies.set("__Host-session", root.refresh_token)
        answers = [
            await client.get("/console/users", headers=headers)
            for headers in ({}, {"Origin": FRONT_END, "Sec-Fetch-Site": "same-site"})
        ]

    assert [answer.status_code for answer in answers] == [200, 403]


async def ask(open_browser: OpenBrowser, person: Person | None, parts: Parts) -> Answers:
    """Request each page of the console in the browser of one person."""
    client = (await open_browser(person)).client
    return {
        page: await client.request(page.split(maxsplit=1)[0], path_of(page, parts))
        for page in ACCESS
    }


def statuses(answers: Answers) -> dict[str, int]:
    return {page: answer.status_code for page, answer in answers.items()}


def locations(answers: Answers) -> dict[str, str]:
    return {page: it.headers["location"] for page, it in answers.items() if it.is_redirect}
