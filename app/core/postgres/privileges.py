"""The privileges of the service in its database: it only reads and writes rows.

An attacker with its connection cannot drop a table, disable a trigger, or empty the audit trail.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

GRANTORS = 1_131_373_391
"""The key of an advisory lock. No other lock on the server may use it."""

DML = "SELECT, INSERT, UPDATE, DELETE"

ROLE_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")

APPEND_ONLY_TABLES = text("""\
SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgname = 'append_only' AND relnamespace = current_schema()::regnamespace""")
"""A table with this trigger is append-only, so there is no second list of such tables."""

VERSION_TABLE = "alembic_version"


async def role_exists(connection: AsyncConnection, role: str) -> bool:
    return bool(await connection.scalar(ROLE_EXISTS, {"role": role}))


async def grant_privileges(connection: AsyncConnection, role: str) -> None:
    """Allow a role to read and write the rows of all tables, including later ones.

    All other privileges are revoked. The connection must be that of the owner of the tables.
    """
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({GRANTORS})"))
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(str(await connection.scalar(text("SELECT current_schema()"))))
    append_only = [quote(table) for table in await connection.scalars(APPEND_ONLY_TABLES)]
    read_only = quote(VERSION_TABLE) if await _has_version_table(connection) else None
    for statement in _statements(schema, quote(role), append_only, read_only):
        await connection.execute(text(statement))


async def _has_version_table(connection: AsyncConnection) -> bool:
    found = await connection.scalar(text("SELECT to_regclass(:table)"), {"table": VERSION_TABLE})
    return found is not None


def _statements(
    schema: str, role: str, append_only: Sequence[str], read_only: str | None
) -> Iterator[str]:
    yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
    for kind, privileges in (
        ("TABLES", DML),
        ("SEQUENCES", "USAGE, SELECT"),
        ("FUNCTIONS", "EXECUTE"),
    ):
        yield f"REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM {role}"
        yield f"GRANT {privileges} ON ALL {kind} IN SCHEMA {schema} TO {role}"
        yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {privileges} ON {kind} TO {role}"
    for table in append_only:
        yield f"REVOKE UPDATE, DELETE ON {schema}.{table} FROM {role}"
    if read_only:
        yield f"REVOKE INSERT, UPDATE, DELETE ON {schema}.{read_only} FROM {role}"
