import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import make_url, text

from app.core.config import Settings
from app.core.database import open_database
from app.core.postgres.connector import Connector
from app.core.postgres.provisioning import RolesNotConfigured, create_roles
from tests.support.roles import roles_to_create
from tests.support.servers import Servers, execute
from tests.support.waiting import STALLED_AFTER


@pytest.fixture
async def new_roles(
    servers: Servers, settings: Settings, worker_id: str
) -> AsyncIterator[Settings]:
    async with roles_to_create(servers, settings, f"roles_{worker_id}") as changed:
        yield changed


async def run(settings: Settings, statement: str) -> object:
    async with open_database(settings) as database, database.engine.begin() as connection:
        result = await connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


async def test_an_empty_server_gets_a_database_that_the_owner_builds_and_the_service_uses(
    new_roles: Settings,
) -> None:
    await create_roles(new_roles)

    await run(new_roles.for_owner, "CREATE TABLE note (id int)")
    await run(new_roles, "INSERT INTO note VALUES (1)")
    assert await run(new_roles, "SELECT id FROM note") == 1


async def test_the_roles_can_be_created_again_with_other_passwords(new_roles: Settings) -> None:
    await create_roles(new_roles)
    url = make_url(new_roles.database_url).set(password="n€w")
    changed = new_roles.model_copy(
        update={"database_url": url.render_as_string(hide_password=False)}
    )

    await create_roles(changed)

    assert await run(changed, "SELECT 1") == 1
    with pytest.raises(Exception, match="not available"):
        await run(new_roles, "SELECT 1")


async def test_two_machines_may_create_the_roles_at_the_same_time(new_roles: Settings) -> None:
    await asyncio.gather(*(create_roles(new_roles) for _ in range(3)))

    assert await run(new_roles, "SELECT 1") == 1


async def test_tables_and_functions_of_an_earlier_release_get_the_new_owner(
    new_roles: Settings, servers: Servers
) -> None:
    """An earlier release had only one role."""
    database = make_url(new_roles.database_url).database
    before = make_url(servers.postgres).set(database=database).render_as_string(hide_password=False)
    await execute(servers.postgres, f"CREATE DATABASE {database}")
    await execute(
        before,
        "CREATE TABLE note (id serial)",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "INSERT INTO note VALUES (7)",
    )

    await create_roles(new_roles)

    await run(new_roles.for_owner, "ALTER TABLE note ADD text text")
    await run(new_roles.for_owner, "ALTER FUNCTION one() STABLE")
    assert await run(new_roles, "SELECT id FROM note") == 7


async def test_other_roles_of_the_server_cannot_connect(
    new_roles: Settings, settings: Settings
) -> None:
    await create_roles(new_roles)
    url = make_url(settings.database_url).set(database=make_url(new_roles.database_url).database)
    other = settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})

    with pytest.raises(Exception, match="not available"):
        await run(other, "SELECT 1")


async def test_an_administrator_without_superuser_rights_can_create_the_roles(
    new_roles: Settings, servers: Servers, worker_id: str
) -> None:
    admin = f"admin_{worker_id}"
    url = make_url(servers.postgres).set(username=admin, password="of the provider")
    managed = new_roles.model_copy(
        update={"database_admin_url": url.render_as_string(hide_password=False)}
    )
    await execute(
        servers.postgres,
        f"CREATE ROLE {admin} LOGIN CREATEROLE CREATEDB PASSWORD 'of the provider'",
    )
    try:
        for _ in range(2):
            await create_roles(managed)
        await run(managed.for_owner, "CREATE TABLE note (id int)")
        assert await run(managed, "SELECT count(*) FROM note") == 0
    finally:
        database = make_url(managed.database_url).database
        await execute(
            servers.postgres,
            f"DROP DATABASE {database} WITH (FORCE)",
            f'DROP ROLE "{database} owner"',
            f'DROP ROLE "{database} service"',
            f"DROP OWNED BY {admin}",
            f"DROP ROLE {admin}",
        )


async def test_without_an_administrator_the_privileges_are_set_for_roles_that_exist(
    new_roles: Settings,
) -> None:
    await create_roles(new_roles)
    await run(new_roles.for_owner, "CREATE TABLE note (id int)")
    role = f'"{make_url(new_roles.database_url).username}"'
    await run(new_roles.for_owner, f"REVOKE ALL ON note FROM {role}")

    await create_roles(new_roles.model_copy(update={"database_admin_url": None}))

    assert await run(new_roles, "SELECT count(*) FROM note") == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"database_owner_url": None}, "DATABASE_OWNER_URL is missing"),
        ({"database_owner_url": "postgresql://db/app"}, "DATABASE_OWNER_URL needs a user"),
        (
            {
                "database_url": "postgresql://same@db/app",
                "database_owner_url": "postgresql://same@db/app",
            },
            "different users",
        ),
    ],
)
async def test_settings_that_name_one_role_are_refused(
    settings: Settings, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(RolesNotConfigured, match=reason):
        await create_roles(settings.model_copy(update=changes))


async def test_a_service_role_that_does_not_exist_is_named_with_the_cure(
    settings: Settings,
) -> None:
    url = make_url(settings.database_url).set(username="missing")
    missing = settings.model_copy(
        update={"database_url": url.render_as_string(hide_password=False)}
    )

    with pytest.raises(RolesNotConfigured, match=r'"missing" does not exist.*DATABASE_ADMIN_URL'):
        await create_roles(missing)


async def test_a_password_never_reaches_the_server_in_clear(
    new_roles: Settings, servers: Servers
) -> None:
    """A server that logs statements would show it."""
    admin = new_roles.model_copy(update={"database_url": servers.postgres})
    connection: asyncpg.Connection = await Connector(admin, command_timeout=STALLED_AFTER)()
    await create_roles(new_roles)
    stored = await connection.fetchval(
        "SELECT rolpassword FROM pg_authid WHERE rolname = $1",
        make_url(new_roles.database_url).username,
    )
    await connection.close()

    assert str(stored).startswith("SCRAM-SHA-256$4096:")
