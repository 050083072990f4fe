"""The types of a field, in Python, PostgreSQL, and JSON."""

from dataclasses import dataclass

ANNOTATED = "from typing import Annotated"
TEXT = "from app.schemas.common import Text"
STRINGS = "from pydantic import StringConstraints"
FIELD = "from pydantic import Field"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """One type. `checked` annotates a value from a client, so it accepts only what can be stored.

    `json` and `other_json` are two samples in JSON, and `value` is the first of them in Python.
    """

    python: str
    checked: str
    column: str = ""
    migration: str
    json: str
    other_json: str
    value: str = ""
    imports: tuple[str, ...] = ()
    checked_imports: tuple[str, ...] = ()
    value_imports: tuple[str, ...] = ()

    @property
    def constrained(self) -> bool:
        """True if the annotation is so long that a generated schema names it."""
        return self.checked.startswith("Annotated")

    @property
    def sample(self) -> str:
        """The first sample as Python code."""
        return self.value or self.json


TYPES = {
    "str": FieldType(
        python="str",
        checked="Annotated[Text, StringConstraints(min_length=1, max_length=255)]",
        column="String(255)",
        migration="sa.String(length=255)",
        json='"A word"',
        other_json='"Another word"',
        checked_imports=(ANNOTATED, STRINGS, TEXT),
    ),
    "text": FieldType(
        python="str",
        checked="Annotated[Text, StringConstraints(max_length=10_000)]",
        column="Text",
        migration="sa.Text()",
        json='"Several words"',
        other_json='"Several other words"',
        checked_imports=(ANNOTATED, STRINGS, TEXT),
    ),
    "int": FieldType(
        python="int",
        checked="Annotated[int, Field(ge=-(2**31), lt=2**31)]",
        migration="sa.Integer()",
        json="3",
        other_json="4",
        checked_imports=(ANNOTATED, FIELD),
    ),
    "bool": FieldType(
        python="bool", checked="bool", migration="sa.Boolean()", json="True", other_json="False"
    ),
    "float": FieldType(
        python="float",
        checked="FiniteFloat",
        migration="sa.Float()",
        json="2.5",
        other_json="3.5",
        checked_imports=("from pydantic import FiniteFloat",),
    ),
    "decimal": FieldType(
        python="Decimal",
        checked="Annotated[Decimal, Field(max_digits=12, decimal_places=2)]",
        column="Numeric(12, 2)",
        migration="sa.Numeric(precision=12, scale=2)",
        json='"19.90"',
        other_json='"29.90"',
        value='Decimal("19.90")',
        imports=("from decimal import Decimal",),
        checked_imports=(ANNOTATED, FIELD, "from decimal import Decimal"),
        value_imports=("from decimal import Decimal",),
    ),
    "date": FieldType(
        python="date",
        checked="date",
        migration="sa.Date()",
        json='"2026-05-17"',
        other_json='"2026-05-18"',
        value="date(2026, 5, 17)",
        imports=("from datetime import date",),
        checked_imports=("from datetime import date",),
        value_imports=("from datetime import date",),
    ),
    "datetime": FieldType(
        python="datetime",
        checked="Moment",
        migration="sa.DateTime(timezone=True)",
        json='"2026-05-17T12:30:00Z"',
        other_json='"2026-05-18T12:30:00Z"',
        value="datetime(2026, 5, 17, 12, 30, tzinfo=UTC)",
        imports=("from datetime import datetime",),
        checked_imports=("from app.schemas.common import Moment",),
        value_imports=("from datetime import UTC, datetime",),
    ),
    "uuid": FieldType(
        python="UUID",
        checked="UUID",
        migration="sa.Uuid()",
        json='"01a20770-1730-72d1-8501-80ebf2a58613"',
        other_json='"01a20770-1730-72d1-8501-80ebf2a58614"',
        value='UUID("01a20770-1730-72d1-8501-80ebf2a58613")',
        imports=("from uuid import UUID",),
        checked_imports=("from uuid import UUID",),
        value_imports=("from uuid import UUID",),
    ),
}
