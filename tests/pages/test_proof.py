"""A session alone is not enough for sensitive changes."""

from datetime import timedelta

import pytest
from sqlalchemy import func, update

from app.core.resources import Resources
from app.models import UserSession
from tests.support.accounts import PASSWORD, Person
from tests.support.authenticator import enroll_authenticator
from tests.support.page_browser import PageBrowser

SENSITIVE = [
    "/account/email",
    "/account/second-factor/remove",
    "/account/api-keys/new",
    "/account/providers/acme/link",
    "/account/delete",
]


@pytest.fixture
async def user_of_yesterday(user: PageBrowser, resources: Resources) -> PageBrowser:
    """The browser of a user whose last proof is old."""
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            update(UserSession).values(proven_at=func.now() - timedelta(days=1))
        )
    return user


@pytest.mark.parametrize("path", SENSITIVE)
async def test_a_sensitive_page_asks_for_the_password_and_then_opens(
    user_of_yesterday: PageBrowser, path: str
) -> None:
    page = await user_of_yesterday.open(path)
    assert page.title == "Confirm that it is you"
    wrong = await user_of_yesterday.submit("Confirm", password="wrong horse")
    assert wrong.error("password") == "Incorrect password."

    page = await user_of_yesterday.submit("Confirm", password=PASSWORD)
    assert page.path == path


@pytest.mark.parametrize("path", SENSITIVE)
async def test_a_sensitive_form_does_nothing_without_a_recent_proof(
    user_of_yesterday: PageBrowser, path: str
) -> None:
    answer = await user_of_yesterday.client.post(path, data={"email": "eve@example.com"})

    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/account/confirm?next={path}",
    )


async def test_a_code_of_the_app_is_a_proof_as_well(
    user_of_yesterday: PageBrowser, resources: Resources, ada: Person
) -> None:
    app = await enroll_authenticator(resources, ada)
    await user_of_yesterday.open("/account/delete")
    wrong = await user_of_yesterday.submit("Confirm with the code", code=app.wrong_code)
    assert wrong.error("code") == "Incorrect code."

    page = await user_of_yesterday.submit("Confirm with the code", code=app.code())
    assert page.path == "/account/delete"


async def test_a_key_is_revoked_only_with_a_recent_proof(user_of_yesterday: PageBrowser) -> None:
    revoke = "/account/api-keys/01976f0e-8f6a-7c3d-9b1e-2f4a5c6d7e8f/revoke"
    answer = await user_of_yesterday.client.post(revoke)

    assert answer.headers["location"] == "/account/confirm?next=/account/api-keys"


async def test_a_proof_needs_something_to_prove_it_with(user_of_yesterday: PageBrowser) -> None:
    await user_of_yesterday.open("/account/delete")
    page = await user_of_yesterday.submit("Confirm", password="")

    assert (page.status, page.alert) == (422, "Fill in the form, then send it again.")
