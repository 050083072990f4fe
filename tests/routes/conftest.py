from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.resources import Resources
from tests.routes.people import People, create_people
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.browser import Browser, open_browser, with_front_end
from tests.support.oidc_provider import TestProvider, run_provider
from tests.support.passwords import hash_password
from tests.support.redis import RedisDatabases

Undone = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources, password_hash=await hash_password(PASSWORD))


@pytest.fixture
async def root(resources: Resources) -> Person:
    return await create_user(resources, "root", superuser=True)


@pytest.fixture
async def people(resources: Resources) -> People:
    return await create_people(resources)


@pytest.fixture
def undone(connection: AsyncConnection, redis_databases: RedisDatabases) -> Undone:
    """Undo what a block changes, for a test of many cases that begin with the same data."""

    @asynccontextmanager
    async def undone() -> AsyncIterator[None]:
        savepoint = await connection.begin_nested()
        yield
        await savepoint.rollback()
        redis_databases.forget_attempts()
        redis_databases.empty_queues()

    return undone


@pytest.fixture
def acme() -> Iterator[TestProvider]:
    with run_provider() as provider:
        yield provider


@pytest.fixture
def other() -> Iterator[TestProvider]:
    with run_provider() as provider:
        yield provider


@pytest.fixture
async def browser(resources: Resources, acme: TestProvider) -> AsyncIterator[Browser]:
    """A browser at a service that has a front end and one provider."""
    async with open_browser(with_front_end(resources), acme=acme) as browser:
        yield browser
