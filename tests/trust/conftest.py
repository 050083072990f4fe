import pytest

from app.core.resources import Resources
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.passwords import hash_password


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits workers and other requests can see."""
    return committing_resources


@pytest.fixture
async def ada(resources: Resources) -> Person:
    """A user with a password and a confirmed address, who is logged in."""
    return await create_user(resources, password_hash=await hash_password(PASSWORD))


@pytest.fixture
async def root(resources: Resources) -> Person:
    """A superuser with a password, who is logged in."""
    password_hash = await hash_password(PASSWORD)
    return await create_user(resources, "root", superuser=True, password_hash=password_hash)
