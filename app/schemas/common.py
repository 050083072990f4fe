"""Types and schemas that several other schemas use."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    EmailStr,
    Field,
    SecretStr,
    StringConstraints,
)

from app.core.security.email_addresses import storable_email

LINE_BREAKING = {"Cc", "Zl", "Zp"}
"""The Unicode categories of control characters, line separators, and paragraph separators."""

BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

SURROGATES = re.compile("[\ud800-\udfff]")


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    if SURROGATES.search(text):
        raise ValueError("must not contain half of a surrogate pair")
    return text


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) in LINE_BREAKING for character in text):
        raise ValueError("must be one line, without control characters")
    if BIDI_CONTROLS.search(text):
        raise ValueError("must not contain characters that change the direction of text")
    return text


def _no_number(time: object) -> object:
    if isinstance(time, int | float):
        raise ValueError("must be a time such as 2026-05-17T12:30:00Z, not a number")  # noqa: TRY004  a TypeError would be a 500
    return time


def _storable_secret(secret: SecretStr) -> SecretStr:
    _storable(secret.get_secret_value())
    return secret


Text = Annotated[str, AfterValidator(_storable)]
"""Text that PostgreSQL can store. JSON allows more."""

Line = Annotated[Text, AfterValidator(_one_line)]
"""One line of text without characters that are misleading in an email or a terminal."""

Reason = Annotated[
    str,
    # Before the validators, because pydantic would otherwise count the spaces that it strips.
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
    AfterValidator(_one_line),
]
"""An operator's reason for an action, in one line."""

SecretText = Annotated[SecretStr, AfterValidator(_storable_secret)]

Email = Annotated[EmailStr, AfterValidator(storable_email), Field(max_length=255)]
Password = Annotated[SecretText, Field(min_length=8, max_length=128)]
"""The length limits of passwords. `core/security/password_policy.py` has the other rules."""

CurrentPassword = Annotated[SecretText, Field(max_length=128)]
EmailTokenText = Annotated[SecretText, Field(max_length=128)]

Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number),
    Field(gt=datetime(1, 1, 2, tzinfo=UTC), lt=datetime(9999, 12, 31, tzinfo=UTC)),
]
"""A time with a time zone. The first and last days of the calendar do not exist in every zone."""

Item = TypeVar("Item")


class Changes(BaseModel):
    """A partial update. Missing fields do not change.

    `nullable` lists the fields that null clears. Null does not change other fields.
    """

    nullable: ClassVar[frozenset[str]] = frozenset()

    def given(self) -> dict[str, object]:
        """Return the fields to change, with their new values."""
        sent = {field: getattr(self, field) for field in self.model_fields_set}
        return {f: value for f, value in sent.items() if value is not None or f in self.nullable}


class Message(BaseModel):
    """A sentence for the client, in a response without other content."""

    message: str


class Page(BaseModel, Generic[Item]):
    """One page of a list, and the total length of the list."""

    data: list[Item]
    count: int

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return the name of the schema, such as `RolesPublic` for a page of `RolePublic`."""
        [item] = params
        stem = item.__name__.removesuffix("Public")
        return f"{stem}s{item.__name__.removeprefix(stem)}"
