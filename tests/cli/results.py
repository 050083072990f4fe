"""The result of a command."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pydantic_core


@dataclass(frozen=True)
class CommandResult:
    code: int | str | None
    output: str
    errors: str

    @property
    def json(self) -> Any:  # noqa: ANN401  the JSON depends on the command
        return pydantic_core.from_json(self.output)


RunCommand = Callable[..., Awaitable[CommandResult]]
