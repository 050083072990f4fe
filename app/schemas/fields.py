"""Kinds of values that several shapes share."""

from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, EmailStr, Field, SecretStr


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

Email = Annotated[EmailStr, Field(max_length=255)]
Password = Annotated[SecretText, Field(min_length=8, max_length=128)]
"""What a password may be at all; `core/password_policy.py` knows the rest."""

CurrentPassword = Annotated[SecretText, Field(max_length=128)]
MailedTokenText = Annotated[SecretText, Field(max_length=128)]

Item = TypeVar("Item")


class Changes(BaseModel):
    """A partial update: what is left out stays, and so does what cannot be null but came as it."""

    nullable: ClassVar[frozenset[str]] = frozenset()

    def given(self) -> dict[str, object]:
        """Return the fields to change, with their new values."""
        sent = {field: getattr(self, field) for field in self.model_fields_set}
        return {f: value for f, value in sent.items() if value is not None or f in self.nullable}


class Message(BaseModel):
    """Said to whoever asked, where there is nothing to return."""

    message: str


class Page(BaseModel, Generic[Item]):
    """One page of a list, and how many there are in all."""

    data: list[Item]
    count: int
