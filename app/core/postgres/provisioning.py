"""Creates what the first migration needs: a database, its owner, and the role of the service.

The owner migrates. The service reads and writes rows.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.core.config import Settings
from app.core.exceptions import BadRequest
from app.core.postgres.connector import DRIVER_URL, Connector
from app.core.postgres.privileges import GRANTORS, grant_privileges, role_exists
from app.core.postgres.scram import scram_verifier
from app.core.urls.postgres import PostgresAddress

ROLE_OPTIONS = "LOGIN NOCREATEDB NOCREATEROLE"

CHANGE_OWNER = """\
DO $$
DECLARE owner regrole := {owner}; each record;
BEGIN
  FOR each IN
    SELECT oid::regclass AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
      AND relowner <> owner
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO %s', each.name, owner);
  END LOOP;
  FOR each IN
    SELECT oid::regprocedure AS name FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proowner <> owner
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
  LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO %s', each.name, owner);
  END LOOP;
END
$$"""
"""If there was only one role before, it owns the tables and functions. Extensions are unchanged."""


class RolesNotConfigured(BadRequest):
    """The settings do not name two roles, or a role is missing and may not be created."""


@dataclass(frozen=True, slots=True)
class Login:
    """A role, its password, and its database, as a URL names them."""

    role: str
    password: str | None
    database: str

    @classmethod
    def of(cls, variable: str, url: str) -> Self:
        address = PostgresAddress.parse(url)
        if not address.user or not address.database:
            raise RolesNotConfigured(f"{variable} needs a user and a database.")
        return cls(address.user, address.password, address.database)


async def create_roles(settings: Settings) -> tuple[Login, Login]:
    """Create or update the owner, its database, and the role of the service.

    Without DATABASE_ADMIN_URL, all three must exist, and only the privileges are set. Return the
    logins of the owner and of the service. Raises RolesNotConfigured.
    """
    if settings.database_owner_url is None:
        raise RolesNotConfigured("DATABASE_OWNER_URL is missing. Set it to the role that migrates.")
    owner = Login.of("DATABASE_OWNER_URL", settings.database_owner_url)
    service = Login.of("DATABASE_URL", settings.database_url)
    if owner.role == service.role:
        raise RolesNotConfigured("DATABASE_URL and DATABASE_OWNER_URL need different users.")
    if settings.database_admin_url is not None:
        await _provision(settings, settings.database_admin_url, owner, service)
    async with _connect(settings, settings.database_owner_url) as connection:
        # In one transaction, so that a running service keeps its privileges throughout.
        await connection.execution_options(isolation_level="READ COMMITTED")
        if not await role_exists(connection, service.role):
            raise RolesNotConfigured(
                f'The role "{service.role}" does not exist. Create it, or set DATABASE_ADMIN_URL '
                "to a role that may create roles."
            )
        await grant_privileges(connection, service.role)
        await connection.commit()
    return owner, service


async def create_missing_database(settings: Settings) -> None:
    """Create the database of DATABASE_URL if it is missing. Only development uses this."""
    url = make_url(settings.database_url)
    async with _connect(settings, _at_database(settings.database_url, "postgres")) as connection:
        await _create_database(connection, url.database or "")


async def _provision(settings: Settings, admin_url: str, owner: Login, service: Login) -> None:
    async with _connect(settings, admin_url) as connection:
        for login in (owner, service):
            await _create_or_alter_role(connection, login)
        await _join_owner(connection, owner)
        await _create_database(connection, owner.database)
        await _set_database_owner(connection, owner, service)
    async with _connect(settings, _at_database(admin_url, owner.database)) as connection:
        await _set_schema_owner(connection, owner)


async def _create_or_alter_role(connection: AsyncConnection, login: Login) -> None:
    role = _quoted(connection, login.role)
    if not await role_exists(connection, login.role):
        await connection.exec_driver_sql(f"CREATE ROLE {role}")
    password = f"PASSWORD '{scram_verifier(login.password)}'" if login.password else ""
    await connection.exec_driver_sql(f"ALTER ROLE {role} {ROLE_OPTIONS} {password}")


async def _join_owner(connection: AsyncConnection, owner: Login) -> None:
    """Make the administrator a member of the owner. Only members may change ownership to a role."""
    if not await connection.scalar(text("SELECT current_setting('is_superuser')::boolean")):
        role = _quoted(connection, owner.role)
        await connection.exec_driver_sql(f"GRANT {role} TO CURRENT_USER")


async def _create_database(connection: AsyncConnection, name: str) -> None:
    exists = text("SELECT 1 FROM pg_database WHERE datname = :name")
    if await connection.scalar(exists, {"name": name}) is None:
        await connection.exec_driver_sql(f"CREATE DATABASE {_quoted(connection, name)}")


async def _set_database_owner(connection: AsyncConnection, owner: Login, service: Login) -> None:
    """Allow only the two roles to connect. Other rights, such as for temporary tables, end."""
    database = _quoted(connection, owner.database)
    roles = [_quoted(connection, login.role) for login in (owner, service)]
    for statement in (
        f"ALTER DATABASE {database} OWNER TO {roles[0]}",
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {database} TO {', '.join(roles)}",
    ):
        await connection.exec_driver_sql(statement)


async def _set_schema_owner(connection: AsyncConnection, owner: Login) -> None:
    role = _quoted(connection, owner.role)
    literal = "'" + role.replace("'", "''") + "'::regrole"
    for statement in (
        f"GRANT USAGE, CREATE ON SCHEMA public TO {role}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        CHANGE_OWNER.format(owner=literal),
    ):
        await connection.exec_driver_sql(statement)


@asynccontextmanager
async def _connect(settings: Settings, url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection on which each statement commits by itself."""
    server = settings.model_copy(update={"database_url": url, "database_pooler": "none"})
    connector = Connector(server, command_timeout=None)
    engine = create_async_engine(
        DRIVER_URL,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"async_creator_fn": connector},
    )
    try:
        async with engine.connect() as connection:
            # The lock is held until the connection closes, so processes provision one at a time.
            await connection.execute(text(f"SELECT pg_advisory_lock({GRANTORS})"))
            await connection.commit()
            yield connection
    finally:
        await engine.dispose()


def _at_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _quoted(connection: AsyncConnection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)
