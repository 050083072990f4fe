import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pydantic_core
import pytest

from app.cli import main
from app.core.config import load_settings
from app.core.resources import Resources
from tests.processes import environment


@dataclass(frozen=True)
class Answer:
    code: int | str | None
    output: str
    errors: str

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever the command has to tell
        return pydantic_core.from_json(self.output)


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def resources(committing: Resources) -> Resources:
    """Commits that the commands see."""
    return committing


def exit_code(arguments: Sequence[str]) -> int | str | None:
    """Carry a command line out as the process does."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


@pytest.fixture
def ask(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Ask]:
    """Type a command, word by word; `typed` comes in by a pipe.

    `variables` are changes of the environment.
    """

    async def ask(*arguments: str, typed: str = "", **variables: str) -> Answer:
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        for name, value in {**environment(resources.settings), **variables}.items():
            monkeypatch.setenv(name, value)
        load_settings.cache_clear()
        code = await asyncio.to_thread(exit_code, arguments)
        return Answer(code, *capsys.readouterr())

    yield ask
    load_settings.cache_clear()
