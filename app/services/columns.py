"""Statements for the columns that a response shows."""

from collections.abc import Iterator

from pydantic import BaseModel
from sqlalchemy import Insert, Label, inspect, select
from sqlalchemy.dialects.postgresql import insert

from app.core.postgres.reader import Statement
from app.models import Base


def select_as(model: type[BaseModel], table: type[Base]) -> Statement:
    """Select the columns that a model shows, labeled with the names that the model validates."""
    return select(*_columns(model, table))


def insert_as(model: type[BaseModel], table: type[Base]) -> Insert:
    """Insert into a table, and return the columns of the new row that a model shows."""
    return insert(table).returning(*_columns(model, table))


def insert_unless_taken_as(model: type[BaseModel], table: type[Base]) -> Insert:
    """Do the same, but skip a row that a unique index would reject."""
    return insert(table).on_conflict_do_nothing().returning(*_columns(model, table))


def _columns(model: type[BaseModel], table: type[Base]) -> Iterator[Label[object]]:
    attributes = inspect(table).column_attrs
    for name, field in model.model_fields.items():
        attribute = field.validation_alias or name
        if isinstance(attribute, str) and attribute in attributes:
            yield getattr(table, attribute).label(attribute)
