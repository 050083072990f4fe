"""The limits of an attacker with a stolen connection of the service."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.database import open_database
from app.models import AuditEvent, Base, User

FORBIDDEN = [
    "TRUNCATE audit_events",
    "UPDATE audit_events SET event = 'nothing.happened'",
    "DELETE FROM audit_events",
    "TRUNCATE users CASCADE",
    "DROP TABLE users",
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON audit_events",
    "SET session_replication_role = replica",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE users (id uuid)",
    "CREATE ROLE mine SUPERUSER",
    "COPY users TO PROGRAM 'true'",
    "UPDATE alembic_version SET version_num = 'mine'",
    "SET ROLE owner",
    "CREATE OR REPLACE FUNCTION refuse_changes() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "SELECT set_config('audit.maintenance', 'on', true); DELETE FROM audit_events",
]
POWERS = text(
    "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls "
    "FROM pg_roles WHERE rolname = current_user"
)
OWNED = text("SELECT relname FROM pg_class WHERE relowner = current_user::regrole")


def event_of(
    user_id: UUID, *, age: timedelta = timedelta(), actor: UUID | None = None
) -> AuditEvent:
    return AuditEvent(
        at=datetime.now(UTC) - age,
        event="login.succeeded",
        actor_id=actor or user_id,
        user_id=user_id,
        ip_address="192.0.2.1",
        user_agent="A browser",
        details={"method": "password"},
    )


async def store(connection: AsyncConnection, *events: AuditEvent) -> None:
    for event in events:
        each = {key: value for key, value in vars(event).items() if not key.startswith("_")}
        await connection.execute(insert(AuditEvent).values(each))


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_a_stolen_connection_of_the_service_cannot_destroy_traces_or_tables(
    connection: AsyncConnection, statement: str
) -> None:
    await store(connection, event_of(uuid7()))
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner|append-only"):  # noqa: PT012
        for each in statement.split("; "):
            await connection.exec_driver_sql(each)


async def test_the_service_owns_nothing_and_has_no_special_power(
    connection: AsyncConnection,
) -> None:
    assert await connection.scalar(POWERS) is False
    assert (await connection.scalars(OWNED)).all() == []


async def test_even_the_owner_cannot_empty_the_audit_trail(settings: Settings) -> None:
    async with open_database(settings.for_owner) as database:
        for statement in (
            "TRUNCATE audit_events",
            "SET audit.maintenance = 'on'; TRUNCATE audit_events",
        ):
            with pytest.raises(DBAPIError, match="append-only"):  # noqa: PT012
                async with database.engine.begin() as connection:
                    for each in statement.split("; "):
                        await connection.exec_driver_sql(each)


async def test_the_service_can_read_and_write_every_table(connection: AsyncConnection) -> None:
    """Include tables that future migrations create."""
    allowed = text("SELECT has_table_privilege(current_user, :table, :privilege)")
    for table in Base.metadata.sorted_tables:
        expected = {"SELECT", "INSERT"} | (
            set() if table.name == "audit_events" else {"UPDATE", "DELETE"}
        )
        for privilege in expected:
            values = {"table": table.name, "privilege": privilege}
            assert await connection.scalar(allowed, values), (table.name, privilege)


async def test_the_service_can_use_a_table_that_the_owner_has_just_created(
    settings: Settings,
) -> None:
    async with (
        open_database(settings.for_owner) as owner,
        open_database(settings) as service,
    ):
        async with owner.engine.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE tomorrow (id bigserial)")
        async with service.engine.begin() as connection:
            await connection.exec_driver_sql("INSERT INTO tomorrow DEFAULT VALUES")
        async with owner.engine.begin() as connection:
            await connection.exec_driver_sql("DROP TABLE tomorrow")


async def test_recent_events_of_the_audit_trail_cannot_be_deleted(
    connection: AsyncConnection,
) -> None:
    delete = text("SELECT delete_audit_events(now() - interval '29 days', 1000)")
    with pytest.raises(DBAPIError, match="stay for at least 30 days"):
        await connection.execute(delete)


async def test_old_events_are_deleted_in_batches_the_oldest_first(
    connection: AsyncConnection,
) -> None:
    user = uuid7()
    ages = (timedelta(days=days) for days in (90, 80, 70, 1))
    await store(connection, *(event_of(user, age=age) for age in ages))

    delete = text("SELECT delete_audit_events(now() - interval '60 days', 2)")
    deleted = [await connection.scalar(delete) for _ in range(3)]

    assert deleted == [2, 1, 0]
    left = (await connection.scalars(select(AuditEvent.at).where(AuditEvent.user_id == user))).all()
    assert len(left) == 1


async def test_the_events_of_a_user_who_exists_cannot_be_anonymized(
    connection: AsyncConnection,
) -> None:
    user = uuid7()
    await connection.execute(insert(User).values(id=user, email="ada@example.com"))

    with pytest.raises(DBAPIError, match="exists"):
        await connection.execute(text("SELECT anonymize_audit_events(:user)"), {"user": user})


async def test_the_events_of_a_deleted_user_keep_what_happened_and_lose_from_where(
    connection: AsyncConnection,
) -> None:
    gone, administrator = uuid7(), uuid7()
    await store(
        connection,
        event_of(gone),
        event_of(gone, actor=administrator),
        event_of(administrator, actor=gone),
        event_of(administrator),
    )

    await connection.execute(text("SELECT anonymize_audit_events(:user)"), {"user": gone})

    rows = await connection.execute(
        select(AuditEvent.event, AuditEvent.ip_address, AuditEvent.user_agent, AuditEvent.details)
        .where(AuditEvent.user_id.in_([gone, administrator]))
        .order_by(AuditEvent.id)
    )
    seen = [(address, agent, bool(details)) for _, address, agent, details in rows]
    assert seen == [
        ("", "", False),
        ("192.0.2.1", "A browser", False),
        ("", "", True),
        ("192.0.2.1", "A browser", True),
    ]
