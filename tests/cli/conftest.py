import asyncio
import sys
from collections.abc import Iterator, Sequence
from io import StringIO

import pytest

from app.cli import main
from app.core.config import load_settings
from app.core.resources import Resources
from tests.cli.results import CommandResult, RunCommand
from tests.support.processes import environment


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the commands can see."""
    return committing_resources


def exit_code(arguments: Sequence[str]) -> int | str | None:
    """Run a command line as the process does."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


@pytest.fixture
def run_command(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[RunCommand]:
    """Run a command, given word by word.

    `typed` is what the command reads from stdin. `variables` are added to the environment.
    """

    async def run_command(*arguments: str, typed: str = "", **variables: str) -> CommandResult:
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        for name, value in {**environment(resources.settings), **variables}.items():
            monkeypatch.setenv(name, value)
        load_settings.cache_clear()
        code = await asyncio.to_thread(exit_code, arguments)
        return CommandResult(code, *capsys.readouterr())

    yield run_command
    load_settings.cache_clear()
