"""Compiles statements of SQLAlchemy, so that the driver can run them."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import asyncpg
from sqlalchemy import Column, Float, Insert, Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import ReturningDelete
from sqlalchemy.types import TypeEngine

MAX_STATEMENTS = 500
"""The size of the cache. The modules of the service contain fewer statements."""

Convert = Callable[[Any], object]
Record = asyncpg.Record | Sequence[Any]
Statement = Select[*tuple[Any, ...]] | Insert | ReturningDelete[*tuple[Any, ...]]

OID_OF_FLOATS, OID_OF_NUMBERS = 701, 1700
"""The OIDs of types in PostgreSQL. SQLAlchemy needs only those of numbers."""

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """The text of a statement, and the conversions of its parameters and columns."""

    text: str
    columns: Sequence[str]
    names: Sequence[str]
    constants: Mapping[str, object]
    defaults: Mapping[str, Callable[[], object]]
    """The defaults that the model computes for each new row, such as an id."""

    parameter_conversions: Mapping[str, Convert]
    column_conversions: Sequence[tuple[int, Convert]]

    def arguments(self, parameters: Mapping[str, object]) -> list[object]:
        """Return the arguments in the order of the text. Raises KeyError for a missing one."""
        values = {**self.constants, **parameters}
        for name, make in self.defaults.items():
            values[name] = make()
        for name, convert in self.parameter_conversions.items():
            values[name] = convert(values[name])
        return [values[name] for name in self.names]

    def row(self, record: Record) -> tuple[Any, ...]:
        """Return a row with the values that SQLAlchemy would return."""
        if not self.column_conversions:
            return tuple(record)
        values = [*record]
        for position, convert in self.column_conversions:
            values[position] = convert(values[position])
        return tuple(values)

    def mapping(self, record: Record) -> dict[str, Any]:
        """Return the values of a row by the names of their columns."""
        values = self.row(record) if self.column_conversions else record
        return dict(zip(self.columns, values, strict=True))


@lru_cache(MAX_STATEMENTS)
def compiled(statement: Statement, given: tuple[str, ...] | None = None) -> CompiledStatement:
    """Compile a statement. The result is cached, so a constant is compiled only once.

    `given` names the columns for which an INSERT gets values. The others have their defaults.
    Raises ValueError for a statement whose text depends on its parameters.
    """
    result = statement.compile(dialect=_dialect, column_keys=given)
    assert isinstance(result, SQLCompiler)
    if result.post_compile_params or result.literal_execute_params:
        raise ValueError(f"Compare with any_(bindparam(…)) instead of in_(…): {result.string}")
    required = {name for bind, name in result.bind_names.items() if bind.required}
    return CompiledStatement(
        text=result.string,
        columns=tuple(map(str, statement.exported_columns.keys())),
        names=tuple(result.positiontup or ()),
        constants={n: value for n, value in result.params.items() if n not in required},
        defaults=_defaults(result),
        parameter_conversions=_parameter_conversions(result),
        column_conversions=_column_conversions(statement),
    )


def _parameter_conversions(result: SQLCompiler) -> dict[str, Convert]:
    found = {
        name: bind.type.dialect_impl(_dialect).bind_processor(_dialect)
        for bind, name in result.bind_names.items()
    }
    return {name: convert for name, convert in found.items() if convert is not None}


def _defaults(result: SQLCompiler) -> dict[str, Callable[[], object]]:
    return {column.key: _default_of(column) for column in result.insert_prefetch}


def _default_of(column: Column[Any]) -> Callable[[], object]:
    default: Any = column.default
    if default.is_callable:
        return partial(default.arg, None)  # SQLAlchemy passes a context, which no model reads
    return partial(copy, default.arg)


def _column_conversions(statement: Statement) -> list[tuple[int, Convert]]:
    found = [
        column.type.dialect_impl(_dialect).result_processor(_dialect, _oid(column.type))
        for column in statement.exported_columns
    ]
    return [(number, convert) for number, convert in enumerate(found) if convert is not None]


def _oid(column_type: TypeEngine[Any]) -> int:
    return OID_OF_FLOATS if isinstance(column_type, Float) else OID_OF_NUMBERS
