"""The values and errors of a submitted form, which the page shows again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import FormData


@dataclass(frozen=True, slots=True)
class Submission:
    """The values of a form, the errors of its fields, and a `problem` of the whole form."""

    values: FormData = field(default_factory=FormData)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def failed(self) -> bool:
        return self.problem is not None or bool(self.errors)

    def value(self, name: str, default: str = "") -> str:
        """Return the submitted value of a field, or a default on the first visit."""
        value = self.values.get(name, default)
        return value if isinstance(value, str) else default

    def selected(self, name: str) -> Sequence[str]:
        """Return the checked boxes of a group."""
        return [value for value in self.values.getlist(name) if isinstance(value, str)]
