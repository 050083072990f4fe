"""Builds the archive of a user."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Column, Table, select

from app.models import AuditEvent
from app.services.personal_data.contents import WITHHELD, exported_tables, table_of
from app.services.scope import Scope

Rows = Sequence[dict[str, object]]


async def build_archive(scope: Scope, user_id: UUID) -> bytes:
    """Return everything that is stored about a user, as JSON."""
    archive: dict[str, object] = {"exported_at": datetime.now(UTC)}
    for name, table, column in exported_tables():
        archive[name] = await _rows(scope, table, column, user_id)
    return to_json(archive, indent=2)


async def _rows(scope: Scope, table: Table, column: Column[object], user_id: UUID) -> Rows:
    columns = [each for each in table.columns if each.key not in WITHHELD]
    query = select(*columns).where(column == user_id)
    rows = await scope.uow.session.execute(query.order_by(*table.primary_key))
    return [_without_others(table, dict(row._mapping), user_id) for row in rows]  # noqa: SLF001  documented as public


def _without_others(table: Table, row: dict[str, object], user_id: UUID) -> dict[str, object]:
    """Remove the IP address and user agent of an administrator who changed the account."""
    if table is table_of(AuditEvent) and row["actor_id"] not in {None, user_id}:
        return row | {"ip_address": None, "user_agent": None}
    return row
