from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select, func, select

from app.core.unit_of_work import UnitOfWork

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and how many there are in all."""

    data: Sequence[Row]
    count: int


async def page_of(uow: UnitOfWork, query: Select[Row], *, skip: int, limit: int) -> Page[Row]:
    """Run a query for one page of its rows."""
    rows = await uow.session.scalars(query.offset(skip).limit(limit))
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    return Page(rows.all(), await uow.session.scalar(counted) or 0)
