"""Kinds of values that several shapes share."""

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


Text = Annotated[str, AfterValidator(_without_nul)]
"""PostgreSQL cannot store NUL in a text."""


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list, and how many there are in all."""

    data: list[Item]
    count: int
