"""Reads outside of any transaction: one statement, one round trip, no connection held."""

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

    Each takes a connection from the pool and returns it with its rows, so that no connection
    waits while a password is hashed or another server is asked. It commits by itself, and does not
    see what a unit of work has yet to commit. After a lost connection, it runs once more.

    A statement is written once, as a constant of its module, and compiled at its first use;
    `bindparam` names what changes from call to call. The driver runs it: to let SQLAlchemy execute
    it and build its rows would take five times as long.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def first(
        self, statement: Select[*Columns], **parameters: object
    ) -> tuple[*Columns] | None:
        """Return the first row, or None if there is none."""
        rows = await self.all(statement, **parameters)
        return rows[0] if rows else None

    async def all(
        self, statement: Select[*Columns], **parameters: object
    ) -> Sequence[tuple[*Columns]]:
        row = compiled(statement).row
        return [row(record) for record in await self.records(statement, parameters)]

    async def scalar(self, statement: Select[Value], **parameters: object) -> Value | None:
        """Return the first column of the first row, or None if there is none."""
        row = await self.first(statement, **parameters)
        return None if row is None else row[0]

    async def one(
        self, model: type[Model], statement: Statement, **parameters: object
    ) -> Model | None:
        """Return the first row as a model, or None if there is none."""
        records = await self.records(statement, parameters)
        return model.model_validate(compiled(statement).mapping(records[0])) if records else None

    async def page(
        self,
        model: type[Model],
        statement: Statement,
        *,
        skip: int,
        limit: int,
        **parameters: object,
    ) -> Model:
        """Return some rows as a page, such as `Page[ItemPublic]`, and how many there are in all.

        One statement reads both, except beyond the end of the list.
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
        """Return the rows as the driver has read them."""
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
