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
    """Reads the principal of a token together with the first rows that are asked for.

    `accept` gets the principal before the rows are returned, and raises what refuses it.
    """

    def __init__(self, reader: Reader, credentials: Credentials, accept: Accept) -> None:
        self._reader = reader
        self._credentials = credentials
        self._accept = accept
        self._is_pending = True

    async def authenticate(self) -> None:
        """Read the principal alone, unless it is known. Raise Unauthenticated."""
        if self._is_pending:
            row = await self._reader.first(
                self._credentials.statement, **self._credentials.parameters
            )
            await self._accept_row(row)

    async def records(
        self, statement: Statement, parameters: Mapping[str, object]
    ) -> Sequence[Record]:
        if not self._is_pending:
            return await self._reader.records(statement, parameters)
        who = self._credentials
        joined = _with_principal(who.statement, statement)
        records = await self._reader.records(joined, {**parameters, **who.parameters})
        width = len(compiled(who.statement).columns)
        first = compiled(who.statement).row(records[0][:width]) if records else None
        await self._accept_row(first)
        return [record[width:-1] for record in records if record[-1]]

    async def _accept_row(self, row: tuple[Any, ...] | None) -> None:
        self._is_pending = False
        if row is None:
            raise Unauthenticated
        await self._accept(Principal(*row))


@lru_cache(MAX_STATEMENTS)
def _with_principal(principal: Statement, statement: Statement) -> Statement:
    """Return one row of the principal for each row of the statement, and at least one."""
    who = principal.subquery()
    what = statement.add_columns(true().label("is_found")).subquery()
    return select(who, what).select_from(who.outerjoin(what, true()))
