"""Authentication together with what a route reads first: one round trip instead of two."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import select, true

from app.core.exceptions import Unauthenticated
from app.core.postgres.reader import Reader, Statement
from app.core.postgres.statements import MAX_STATEMENTS, Record, compiled
from app.services.auth.authentication import Credentials
from app.services.auth.principal import Principal

Accept = Callable[[Principal], Awaitable[None]]


class AuthenticatingReader(Reader):
    """Reads the principal of a token together with the first rows that a route reads.

    `accept` gets the principal before the rows are returned. To reject the request, it raises.
    """

    def __init__(self, reader: Reader, credentials: Credentials, accept: Accept) -> None:
        self._reader = reader
        self._credentials = credentials
        self._accept: Accept | None = accept

    async def authenticate(self) -> None:
        """Read the principal, unless an earlier read has. Raise Unauthenticated."""
        if self._accept is not None:
            row = await self._reader.first(
                self._credentials.statement, **self._credentials.parameters
            )
            await self._decide(self._accept, row)

    async def records(
        self, statement: Statement, parameters: Mapping[str, object]
    ) -> Sequence[Record]:
        if self._accept is None:
            return await self._reader.records(statement, parameters)
        credentials = self._credentials
        joined = _with_principal(credentials.statement, statement)
        records = await self._reader.records(joined, {**parameters, **credentials.parameters})
        principal = compiled(credentials.statement)
        width = len(principal.columns)
        first = principal.row(records[0][:width]) if records else None
        await self._decide(self._accept, first)
        return [record[width:-1] for record in records if record[-1]]

    async def _decide(self, accept: Accept, row: tuple[Any, ...] | None) -> None:
        # `accept` refers to the scope of this reader. Each request would leave a cycle as garbage.
        self._accept = None
        if row is None:
            raise Unauthenticated
        await accept(Principal(*row))


@lru_cache(MAX_STATEMENTS)
def _with_principal(principal: Statement, statement: Statement) -> Statement:
    """Return one row of the principal for each row of the statement, and at least one."""
    left = principal.subquery()
    right = statement.add_columns(true().label("is_found")).subquery()
    return select(left, right).select_from(left.outerjoin(right, true()))
