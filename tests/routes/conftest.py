from collections.abc import AsyncIterator, Iterator

import pytest

from app.core.resources import Resources
from app.core.security import hash_password
from tests.accounts import PASSWORD, Person, someone
from tests.browser import Browser, browsing
from tests.oidc_provider import TestProvider, running_provider


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await someone(resources, password_hash=await hash_password(PASSWORD))


@pytest.fixture
async def root(resources: Resources) -> Person:
    return await someone(resources, "root", superuser=True)


@pytest.fixture
def acme() -> Iterator[TestProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def other() -> Iterator[TestProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
async def browser(resources: Resources, acme: TestProvider) -> AsyncIterator[Browser]:
    """Somebody whose service knows one provider."""
    async with browsing(resources, acme=acme) as browser:
        yield browser
