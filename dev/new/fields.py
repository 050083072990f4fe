"""Fields as the command line writes them: `title:str`, `done:bool`, `due:date?`."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from dev.new.errors import InvalidArgument
from dev.new.names import Name, snake_name
from dev.new.types import TYPES, FieldType

MANY = 3

HIDING = {"date": "due_date", "datetime": "starts_at", "func": "function", "select": "choice"}
"""Names that generated modules import, with a better name for a field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource, a job, or an email."""

    name: str
    type: FieldType
    optional: bool

    @property
    def python(self) -> str:
        """The annotation of a validated value."""
        return f"{self.type.python} | None" if self.optional else self.type.python

    @property
    def checked(self) -> str:
        """The annotation of a value from a client."""
        return f"{self.type.checked} | None" if self.optional else self.type.checked

    @property
    def pascal(self) -> str:
        """The name as part of a class name."""
        return Name(self.name).pascal

    def checked_in(self, owner: Name) -> str:
        """Return the annotation of a value from a client in the schemas of a resource."""
        return f"{owner.pascal}{self.pascal}" if self.type.constrained else self.type.checked

    @property
    def words(self) -> str:
        """The name in prose."""
        return Name(self.name).sentence


def parse_fields(texts: Sequence[str], *, reserved: Collection[str]) -> list[Field]:
    """Parse fields. Raise InvalidArgument, also for a name that `reserved` or pydantic uses."""
    fields: list[Field] = []
    for text in texts:
        field = _parse_field(text, reserved)
        if field.name in {each.name for each in fields}:
            raise InvalidArgument(f"The field {field.name!r} is given twice.")
        fields.append(field)
    return fields


def imports_of(fields: Iterable[Field]) -> Iterator[str]:
    """Yield the imports for the annotations of values from a client."""
    for field in fields:
        yield from field.type.checked_imports


def placeholders(fields: Sequence[Field]) -> str:
    """Return the arguments of an example call. Many fields are shortened to the first ones."""
    first, rest = fields[:MANY], fields[MANY:]
    return ", ".join([f"{field.name}=…" for field in first] + ["…"] * bool(rest))


def _parse_field(text: str, reserved: Collection[str]) -> Field:
    name, colon, type_name = text.partition(":")
    optional, type_name = type_name.endswith("?"), type_name.removesuffix("?")
    if not colon or not type_name:
        raise InvalidArgument(f"{text!r} is not a field: write name:type, such as title:str.")
    if name in reserved or hasattr(BaseModel, name):
        raise InvalidArgument(f"{name!r} cannot be a field: the name is already used.")
    if name in HIDING:
        raise InvalidArgument(f"{name!r} cannot be a field: call it {HIDING[name]}, for example.")
    if type_name not in TYPES:
        raise InvalidArgument(f"The type of {text!r} is unknown. bin/new --help lists the types.")
    return Field(snake_name(name, "a field").snake, TYPES[type_name], optional)
