"""What the service may do in its database: read and write rows, and nothing else.

A stolen connection of the service cannot drop a table, disable a trigger, or empty the audit trail.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

GRANTORS = 1_131_373_391
"""The number of an advisory lock; any, as long as nothing else on the server uses it."""

DML = "SELECT, INSERT, UPDATE, DELETE"

ROLE_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")

APPEND_ONLY_TABLES = text("""\
SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgname = 'append_only' AND relnamespace = current_schema()::regnamespace""")
"""A table is append-only because it has this trigger: no second list could differ."""

HISTORY = "alembic_version"


async def role_exists(connection: AsyncConnection, role: str) -> bool:
    return bool(await connection.scalar(ROLE_EXISTS, {"role": role}))


async def grant_privileges(connection: AsyncConnection, role: str) -> None:
    """Let a role read and write the rows of every table, also of those that are created later.

    What it could do beyond that is revoked. The connection belongs to the owner of the tables.
    """
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({GRANTORS})"))
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(str(await connection.scalar(text("SELECT current_schema()"))))
    append_only = [quote(table) for table in await connection.scalars(APPEND_ONLY_TABLES)]
    history = quote(HISTORY) if await _has_history(connection) else None
    for statement in _statements(schema, quote(role), append_only, history):
        await connection.execute(text(statement))


async def _has_history(connection: AsyncConnection) -> bool:
    found = await connection.scalar(text("SELECT to_regclass(:table)"), {"table": HISTORY})
    return found is not None


def _statements(
    schema: str, role: str, append_only: Sequence[str], history: str | None
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
    if history:
        yield f"REVOKE INSERT, UPDATE, DELETE ON {schema}.{history} FROM {role}"
