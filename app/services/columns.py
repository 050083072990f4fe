"""The columns that a response shows."""

from collections.abc import Iterator

from pydantic import BaseModel
from sqlalchemy import Label, inspect, select

from app.core.postgres.reader import Statement
from app.models import Base


def select_as(model: type[BaseModel], table: type[Base]) -> Statement:
    """Select the columns of a table that a model shows, under the names by which it finds them."""
    return select(*_columns(model, table))


def _columns(model: type[BaseModel], table: type[Base]) -> Iterator[Label[object]]:
    attributes = inspect(table).column_attrs
    for name, field in model.model_fields.items():
        attribute = field.validation_alias or name
        if isinstance(attribute, str) and attribute in attributes:
            yield getattr(table, attribute).label(attribute)
