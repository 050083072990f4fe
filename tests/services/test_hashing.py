"""Hashing a password takes tens of milliseconds, and no database connection waits for it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace

import pytest
from pydantic import SecretStr
from sqlalchemy import QueuePool

from app.core.resources import Resources
from app.core.security.passwords import PasswordCheck, Passwords
from app.models import Purpose
from app.schemas.api_key import ApiKeyCreate
from app.schemas.role import Permission
from app.schemas.user import UserCreate, UserRegister, UserUpdate, UserUpdateMe
from app.services.account_service import AccountService
from app.services.admin_service import AdminService
from app.services.auth.api_key_service import ApiKeyService
from app.services.auth.email_token_service import EmailTokenService
from app.services.auth.login_service import IncorrectLogin, LoginService
from app.services.auth.second_factor_service import SecondFactorService
from app.services.scope import Scope
from app.services.signup_service import SignupService
from tests.support.accounts import (
    PASSWORD,
    Person,
    create_user,
    open_anonymous_scope,
    open_user_scope,
)
from tests.support.passwords import CHEAP

NEW_PASSWORD = "a fresh battery"


class WatchedPasswords(Passwords):
    """A password hasher that counts the database connections in use while it hashes."""

    def __init__(self, pool: QueuePool) -> None:
        super().__init__(CHEAP)
        self.pool = pool
        self.connections_in_use: list[int] = []

    async def hash(self, password: str) -> str:
        self.connections_in_use.append(self.pool.checkedout())
        return await super().hash(password)

    async def verify(self, password: str, stored: str | None) -> PasswordCheck:
        self.connections_in_use.append(self.pool.checkedout())
        return await super().verify(password, stored)


@pytest.fixture
def passwords(committing_resources: Resources) -> WatchedPasswords:
    pool = committing_resources.database.engine.pool
    assert isinstance(pool, QueuePool)
    return WatchedPasswords(pool)


@dataclass(frozen=True)
class People:
    ada: Person
    root: Person
    reset_token: str


@pytest.fixture
async def people(committing_resources: Resources, password_hash: str) -> People:
    ada = await create_user(committing_resources, password_hash=password_hash)
    root = await create_user(
        committing_resources, "root", superuser=True, password_hash=password_hash
    )
    async with open_anonymous_scope(committing_resources) as scope:
        token = await EmailTokenService(scope).issue(
            ada.id, Purpose.RESET_PASSWORD, email=ada.email, lifetime=60
        )
    return People(ada, root, token)


Act = Callable[[Scope, People], Awaitable[object]]


async def sign_up(scope: Scope, _: People) -> None:
    data = UserRegister(email="bob@example.com", password=SecretStr(PASSWORD))
    await SignupService(scope).sign_up(data)


async def log_in(scope: Scope, people: People) -> None:
    await LoginService(scope).log_in(people.ada.email, PASSWORD)


async def fail_to_log_in(scope: Scope, people: People) -> None:
    await LoginService(scope).log_in(people.ada.email, "wrong horse")


async def reset_password(scope: Scope, people: People) -> None:
    await AccountService(scope).reset_password(people.reset_token, NEW_PASSWORD)


async def change_password(scope: Scope, _: People) -> None:
    await AccountService(scope).change_password(PASSWORD, NEW_PASSWORD)


async def change_email(scope: Scope, _: People) -> None:
    changes = {"email": "countess@example.com", "current_password": PASSWORD}
    await AccountService(scope).update(UserUpdateMe.model_validate(changes))


async def create_api_key(scope: Scope, _: People) -> None:
    data = ApiKeyCreate(
        name="import", scopes=[Permission.READ_JOBS], current_password=SecretStr(PASSWORD)
    )
    await ApiKeyService(scope).create(data)


async def begin_second_factor(scope: Scope, _: People) -> None:
    await SecondFactorService(scope).begin(SecretStr(PASSWORD))


async def create_another_user(scope: Scope, _: People) -> None:
    data = UserCreate(email="bob@example.com", password=SecretStr(PASSWORD))
    await AdminService(scope).create(data)


async def set_a_users_password(scope: Scope, people: People) -> None:
    data = UserUpdate(password=SecretStr(NEW_PASSWORD))
    await AdminService(scope).update(people.ada.id, data)


ANONYMOUS: tuple[Act, ...] = (sign_up, log_in, fail_to_log_in, reset_password)
OF_A_USER: tuple[Act, ...] = (change_password, change_email, create_api_key, begin_second_factor)
OF_A_SUPERUSER: tuple[Act, ...] = (create_another_user, set_a_users_password)


@pytest.mark.parametrize("act", [*ANONYMOUS, *OF_A_USER, *OF_A_SUPERUSER])
async def test_no_connection_is_held_while_a_password_is_hashed(
    committing_resources: Resources, people: People, passwords: WatchedPasswords, act: Act
) -> None:
    watched = replace(committing_resources, passwords=passwords)
    with suppress(IncorrectLogin):
        async with _scope_for(act, watched, people) as scope:
            await act(scope, people)

    assert passwords.connections_in_use
    assert set(passwords.connections_in_use) == {0}


def _scope_for(
    act: Act, resources: Resources, people: People
) -> AbstractAsyncContextManager[Scope]:
    if act in ANONYMOUS:
        return open_anonymous_scope(resources)
    return open_user_scope(resources, people.root if act in OF_A_SUPERUSER else people.ada)
