"""Settings of PostgreSQL."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt

from app.core.configuration.group import SettingGroup
from app.core.configuration.passwords import url_problems
from app.core.configuration.types import PostgresUrl

EXAMPLE = "postgresql://user:password@host/database"


class DatabaseSettings(SettingGroup):
    """The URLs of PostgreSQL, and the limits of connections and time."""

    database_url: PostgresUrl = Field(
        "postgresql+asyncpg://postgres:postgres@localhost:5432/fastapi_db", repr=False
    )
    database_owner_url: PostgresUrl | None = Field(None, repr=False)
    database_admin_url: PostgresUrl | None = Field(None, repr=False)
    database_pooler: Literal["none", "transaction"] = "none"
    database_pool_size: PositiveInt = 10
    database_max_overflow: int = Field(5, ge=0)
    database_pool_timeout: PositiveFloat = 3
    database_connect_timeout: PositiveFloat = 5
    database_command_timeout: PositiveFloat = 8
    database_statement_timeout: PositiveFloat = 5
    database_lock_timeout: PositiveFloat = 2
    database_idle_in_transaction_timeout: PositiveFloat = 10

    @property
    def max_database_connections(self) -> int:
        """The number of connections that a process may open."""
        return self.database_pool_size + self.database_max_overflow

    @property
    def uses_transaction_pooler(self) -> bool:
        """Return whether each transaction may run on another connection of the server."""
        return self.database_pooler == "transaction"

    @property
    def for_owner(self) -> Self:
        """The settings of the role that migrates, which connects without a pooler."""
        if self.database_owner_url is None:
            return self
        return self.model_copy(
            update={"database_url": self.database_owner_url, "database_pooler": "none"}
        )

    def production_problems(self) -> Iterator[str]:
        missing = "database_url" not in self.model_fields_set
        for variable, url, absent in (
            ("DATABASE_URL", self.database_url, missing),
            ("DATABASE_OWNER_URL", self.database_owner_url, False),
            ("DATABASE_ADMIN_URL", self.database_admin_url, False),
        ):
            yield from url_problems(variable, url, missing=absent, example=EXAMPLE)
