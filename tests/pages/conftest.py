from collections.abc import AsyncIterator, Iterator

import pytest

from app.core.resources import Resources
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.browser import SERVICE
from tests.support.oidc_provider import TestProvider, run_provider
from tests.support.page_browser import PageBrowser
from tests.support.passwords import hash_password
from tests.support.service import serve


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker and its outbox relay can see."""
    return committing_resources


@pytest.fixture
async def visitor(resources: Resources) -> AsyncIterator[PageBrowser]:
    """A browser without JavaScript on the pages of the service."""
    async with serve(resources, SERVICE) as client:
        yield PageBrowser(client)


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources, password_hash=await hash_password(PASSWORD))


@pytest.fixture
async def user(visitor: PageBrowser, ada: Person) -> PageBrowser:
    """The browser of a user who has just logged in, and who did not need the form for it."""
    visitor.client.cookies.set("__Host-session", ada.refresh_token)
    await visitor.open("/account")
    return visitor


@pytest.fixture
def acme() -> Iterator[TestProvider]:
    with run_provider() as provider:
        yield provider


async def log_in(visitor: PageBrowser, person: Person, password: str = PASSWORD) -> None:
    await visitor.open("/login")
    await visitor.submit("Log in", email=person.email, password=password)
    assert visitor.page.path == "/account", visitor.page.text
