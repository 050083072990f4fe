"""Kinds of values that several shapes share."""

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, SecretStr


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain half of a surrogate pair")
    return text


def _storable_secret(secret: SecretStr) -> SecretStr:
    _storable(secret.get_secret_value())
    return secret


Text = Annotated[str, AfterValidator(_storable)]
"""What JSON can say and neither PostgreSQL nor UTF-8 can hold is refused."""

SecretText = Annotated[SecretStr, AfterValidator(_storable_secret)]


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list, and how many there are in all."""

    data: list[Item]
    count: int
