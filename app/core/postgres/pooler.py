"""Options for a transaction pooler, where each transaction may run on another connection."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

NOTHING_PREPARED: Mapping[str, Any] = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": str,  # an unnamed statement is replaced by the next one
}
"""Options of SQLAlchemy's connections."""


def set_in_each_transaction(engine: AsyncEngine, settings: Mapping[str, str]) -> None:
    """Set parameters of PostgreSQL at the start of each transaction, and only for it."""
    statement = select(*(func.set_config(name, value, True) for name, value in settings.items()))

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.execute(statement)
