"""The names of new things: their spellings, and the names that cannot be used."""

import builtins
import keyword
import re
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from dev.new.errors import InvalidArgument

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PASCAL = re.compile(r"([A-Z][a-z0-9]*)+")
MAX_LENGTH = 38
"""No generated line gets too long, and PostgreSQL, which cuts at 63 bytes, keeps every name."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name in each spelling that code and prose need."""

    snake: str

    @property
    def pascal(self) -> str:
        """`order_item` as OrderItem."""
        return "".join(word.title() for word in self.snake.split("_"))

    @property
    def constant(self) -> str:
        """`order_item` as ORDER_ITEM."""
        return self.snake.upper()

    @property
    def words(self) -> str:
        """`order_item` as "order item"."""
        return self.snake.replace("_", " ")

    @property
    def sentence(self) -> str:
        """`order_item` as "Order item"."""
        return self.words.capitalize()

    @property
    def article(self) -> str:
        """The indefinite article, by the first letter."""
        return "an" if self.snake[0] in "aeiou" else "a"


def snake_name(text: str, what: str) -> Name:
    """Parse a name in snake_case. Raise InvalidArgument if it is invalid."""
    if not SNAKE.fullmatch(text):
        hint = _to_snake(text)
        suggestion = f", such as {hint}" if SNAKE.fullmatch(hint) else ""
        raise InvalidArgument(f"{text!r} is not {what} in snake_case{suggestion}.")
    _refuse_reserved(text, what)
    return Name(text)


def pascal_name(text: str, what: str) -> Name:
    """Parse a name in PascalCase. Raise InvalidArgument if it is invalid."""
    if not PASCAL.fullmatch(text):
        hint = Name(_to_snake(text)).pascal
        suggestion = f", such as {hint}" if PASCAL.fullmatch(hint) else ""
        raise InvalidArgument(f"{text!r} is not {what} in PascalCase{suggestion}.")
    name = Name(_to_snake(text))
    if name.pascal != text:
        raise InvalidArgument(f"Spell {text} as {name.pascal}: its function is {name.snake}.")
    _refuse_reserved(name.snake, what)
    return name


def plural_of(singular: str) -> str:
    """Return the regular English plural of the last word."""
    if re.search(r"[^aeiou]y$", singular):
        return f"{singular[:-1]}ies"
    if re.search(r"(s|x|z|ch|sh)$", singular):
        return f"{singular}es"
    return f"{singular}s"


def refuse_reserved_table(name: str) -> None:
    """Raise InvalidArgument for a table name that every query would have to quote."""
    if name in RESERVED_WORDS or name.startswith("pg_"):
        raise InvalidArgument(f"{name!r} is reserved by PostgreSQL: choose another name.")


def _refuse_reserved(name: str, what: str) -> None:
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise InvalidArgument(f"{name!r} cannot be {what}: it is a Python keyword.")
    if hasattr(builtins, name):
        raise InvalidArgument(f"{name!r} cannot be {what}: it would hide a Python built-in.")
    if len(name) > MAX_LENGTH:
        raise InvalidArgument(
            f"{name!r} is too long for {what}: use at most {MAX_LENGTH} characters."
        )


def _to_snake(text: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"[^A-Za-z0-9]+", "_", parted).strip("_").lower()
