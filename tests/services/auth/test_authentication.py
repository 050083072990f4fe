from collections.abc import Sequence

import asyncpg
import pytest
from sqlalchemy import make_url, update

from app.core.exceptions import Unauthenticated
from app.core.postgres.reader import Reader
from app.core.resources import Resources
from app.models import Role, TotpFactor, User, UserRole, UserSession
from app.schemas.role import Permission
from app.services.auth.api_key_service import ApiKeyService
from app.services.auth.authentication import authenticate
from app.services.auth.principal import Principal
from app.services.scope import open_scope
from tests.support.accounts import REQUEST_INFO, Person
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator


async def principal_of(resources: Resources, token: str) -> Principal:
    return await authenticate(resources.reader, resources.settings, token)


async def test_a_principal_has_the_permissions_of_all_roles_of_the_user(
    resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        roles = [
            Role(name="reader", permissions=[Permission.READ_REPORTS]),
            Role(name="auditor", permissions=[Permission.READ_AUDIT]),
            Role(name="unused", permissions=[Permission.READ_JOBS]),
        ]
        uow.session.add_all(roles)
        await uow.session.flush()
        uow.session.add_all(UserRole(user_id=ada.id, role_id=role.id) for role in roles[:2])

    principal = await principal_of(resources, ada.access_token)

    assert sorted(principal.permissions) == ["audit:read", "reports:read"]


@pytest.mark.parametrize("kind", ["access token", "API key"])
async def test_a_new_connection_authenticates_with_one_statement(
    resources: Resources, ada: Person, kind: str
) -> None:
    _, key = await create_api_key(resources, ada)
    url = make_url(resources.settings.database_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    statements = list[str]()
    connection.add_query_logger(lambda logged: statements.append(logged.query))

    async def fetch(text: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        return await connection.fetch(text, *arguments)

    try:
        with pytest.raises(Unauthenticated):  # other connections do not see the users of a test
            await authenticate(
                Reader(fetch), resources.settings, key if kind == "API key" else ada.access_token
            )
    finally:
        await connection.close()
    assert len(statements) == 1


async def test_a_second_factor_counts_once_it_is_confirmed(
    resources: Resources, ada: Person
) -> None:
    await enroll_authenticator(resources, ada)
    assert (await principal_of(resources, ada.access_token)).has_second_factor

    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(TotpFactor).values(confirmed_at=None))
    assert not (await principal_of(resources, ada.access_token)).has_second_factor


async def test_a_user_who_is_deactivated_is_refused_at_once(
    resources: Resources, ada: Person
) -> None:
    _, key = await create_api_key(resources, ada)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_active=False))

    for token in (ada.access_token, key):
        with pytest.raises(Unauthenticated):
            await principal_of(resources, token)


async def test_an_expired_session_is_refused_and_the_users_key_is_not(
    resources: Resources, ada: Person
) -> None:
    _, key = await create_api_key(resources, ada)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(UserSession).values(expires_at=UserSession.created_at))

    with pytest.raises(Unauthenticated):
        await principal_of(resources, ada.access_token)
    assert (await principal_of(resources, key)).is_api_key


async def test_the_use_of_a_key_is_due_to_be_recorded_once_per_minute(
    resources: Resources, ada: Person
) -> None:
    _, key = await create_api_key(resources, ada)
    unused = await principal_of(resources, key)
    async with open_scope(resources, REQUEST_INFO, unused) as scope:
        await ApiKeyService(scope).record_use()

    assert unused.unrecorded_use
    assert not (await principal_of(resources, key)).unrecorded_use
