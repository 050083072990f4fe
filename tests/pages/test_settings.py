"""The effects of settings on the pages."""

import httpx2
import pytest
from pydantic import HttpUrl

from app.core.config import Settings
from app.core.resources import Resources
from app.core.setup import create_application
from tests.support.accounts import API
from tests.support.service import serve, with_settings


async def test_the_pages_can_be_turned_off(resources: Resources) -> None:
    async with serve(with_settings(resources, account_pages=False)) as client:
        answers = [await client.get(path) for path in ("/", "/login", "/account")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.parametrize("front_end_url", [None, HttpUrl("https://front.example.com")])
def test_links_in_emails_that_lead_nowhere_are_reported_at_the_start(
    settings: Settings, capsys: pytest.CaptureFixture[str], front_end_url: HttpUrl | None
) -> None:
    changes = {"account_pages": False, "front_end_url": front_end_url}
    create_application(settings.model_copy(update=changes))

    assert ("pages.missing" in capsys.readouterr().err) is (front_end_url is None)


async def test_an_unknown_path_is_a_page_for_people_and_a_problem_for_programs(
    resources: Resources,
) -> None:
    html = {"Accept": "text/html,application/xhtml+xml"}
    async with serve(resources) as client:
        page = await client.get("/nothing/here", headers=html)
        problems = [
            await client.get("/nothing/here"),
            await client.get(f"{API}/nothing", headers=html),
        ]

    assert (page.status_code, "There is nothing here" in page.text) == (404, True)
    assert [kind_of(problem) for problem in problems] == [(404, "application/problem+json")] * 2


def kind_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.headers["content-type"]
