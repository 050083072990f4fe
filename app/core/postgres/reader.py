"""Runs single statements outside of transactions, each in one round trip."""

from collections.abc import Awaitable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar, TypeVarTuple

import asyncpg
from pydantic import BaseModel
from sqlalchemy import Select, bindparam, func, select

from app.core.exceptions import DatabaseConnectionLost
from app.core.postgres.statements import MAX_STATEMENTS, Record, compiled

Value = TypeVar("Value")
Columns = TypeVarTuple("Columns")
Model = TypeVar("Model", bound=BaseModel)
Statement = Select[*tuple[Any, ...]]


class Fetch(Protocol):
    """Runs a statement on a connection of the driver, and returns its rows.

    Raises DatabaseConnectionLost if the connection ends before the rows are there.
    """

    def __call__(
        self, text: str, arguments: Sequence[object], /
    ) -> Awaitable[Sequence[asyncpg.Record]]: ...


class Reader:
    """Runs single SELECT statements.

    Each uses a connection of the pool only until its rows have arrived, so that no connection is
    held while a password is hashed or another server is asked. It does not see the uncommitted
    changes of a unit of work. If the connection is lost, the statement is repeated once.

    Write a statement as a constant of its module, with a `bindparam` for each value that changes.
    It is compiled at its first use. The driver runs it, because SQLAlchemy would take five times as
    long to execute it and to build its rows.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def first(
        self, statement: Select[*Columns], /, **parameters: object
    ) -> tuple[*Columns] | None:
        """Return the first row, or None if there is none."""
        rows = await self.all(statement, **parameters)
        return rows[0] if rows else None

    async def all(
        self, statement: Select[*Columns], /, **parameters: object
    ) -> Sequence[tuple[*Columns]]:
        row = compiled(statement).row
        return [row(record) for record in await self.records(statement, parameters)]

    async def scalar(self, statement: Select[Value], /, **parameters: object) -> Value | None:
        """Return the first column of the first row, or None if there is none."""
        row = await self.first(statement, **parameters)
        return None if row is None else row[0]

    async def one(
        self, model: type[Model], statement: Statement, /, **parameters: object
    ) -> Model | None:
        """Return the first row as a model, or None if there is none."""
        records = await self.records(statement, parameters)
        return model.model_validate(compiled(statement).mapping(records[0])) if records else None

    async def page(
        self,
        model: type[Model],
        statement: Statement,
        /,
        *,
        skip: int,
        limit: int,
        **parameters: object,
    ) -> Model:
        """Return a page of rows with the count of all rows, such as `Page[ItemPublic]`.

        One statement reads both, unless the page is beyond the end of the list.
        """
        paged = _paged(statement)
        records = await self.records(paged, parameters | {"skip": skip, "limit": limit})
        if records:
            count = records[0][-1]
        else:
            count = await self.scalar(_counted(statement), **parameters) if skip else 0
        mapping = compiled(paged).mapping
        return model.model_validate({"data": [mapping(r) for r in records], "count": count})

    async def records(
        self, statement: Statement, parameters: Mapping[str, object]
    ) -> Sequence[Record]:
        """Return the rows as records of the driver."""
        query = compiled(statement)
        arguments = query.arguments(parameters)
        try:
            return await self._fetch(query.text, arguments)
        except DatabaseConnectionLost:
            return await self._fetch(query.text, arguments)


@lru_cache(MAX_STATEMENTS)
def _paged(statement: Statement) -> Statement:
    counted = _counted(statement).scalar_subquery().label("count_of_all_rows")
    page = statement.add_columns(counted)
    return page.offset(bindparam("skip")).limit(bindparam("limit"))


@lru_cache(MAX_STATEMENTS)
def _counted(statement: Statement) -> Select[int]:
    return select(func.count()).select_from(statement.order_by(None).subquery())
