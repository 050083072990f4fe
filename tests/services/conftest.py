import pytest

from app.core.resources import Resources
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.passwords import hash_password


@pytest.fixture(scope="session")
async def password_hash() -> str:
    """The hash of PASSWORD, computed once."""
    return await hash_password(PASSWORD)


@pytest.fixture
async def ada(resources: Resources, password_hash: str) -> Person:
    """A user with a password, who is logged in."""
    return await create_user(resources, password_hash=password_hash)


@pytest.fixture
async def root(resources: Resources, password_hash: str) -> Person:
    """A superuser with a password, who is logged in."""
    return await create_user(resources, "root", superuser=True, password_hash=password_hash)
