from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from app.core.resources import Resources
from app.models import Role, UserRole
from app.schemas.role import Permission
from tests.support.accounts import Person, create_user
from tests.support.browser import SERVICE
from tests.support.page_browser import PageBrowser
from tests.support.service import serve

OpenBrowser = Callable[[Person | None], Awaitable[PageBrowser]]
EVERYTHING = [Permission.READ_CONSOLE, Permission.READ_AUDIT, Permission.MANAGE_JOBS]
EVERYTHING += [Permission.MANAGE_QUEUES]


@pytest.fixture
async def open_browser(resources: Resources) -> AsyncIterator[OpenBrowser]:
    """Open browsers without JavaScript, for a user who has just logged in or for a visitor."""
    async with AsyncExitStack() as stack:

        async def open_browser(person: Person | None) -> PageBrowser:
            client = await stack.enter_async_context(serve(resources, SERVICE))
            if person is not None:
                client.cookies.set("__Host-session", person.refresh_token)
            return PageBrowser(client)

        yield open_browser


@pytest.fixture
async def root(resources: Resources) -> Person:
    return await create_user(resources, "root", superuser=True)


@pytest.fixture
async def console(open_browser: OpenBrowser, root: Person) -> PageBrowser:
    """The browser of a superuser."""
    return await open_browser(root)


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources)


async def create_operator(resources: Resources, name: str, *permissions: Permission) -> Person:
    """Create a user whose role has these permissions."""
    person = await create_user(resources, name)
    async with resources.unit_of_work() as uow:
        role = Role(name=name, permissions=[*permissions])
        uow.session.add(role)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=person.id, role_id=role.id))
    return person
