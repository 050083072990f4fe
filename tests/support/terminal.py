"""A terminal for the commands of a document."""

import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

END = "the end of these commands"
PATIENCE = 300.0
"""Seconds after which a waiting command is ended."""


class Terminal:
    """A shell that keeps its variables between blocks of commands."""

    def __init__(self, shell: subprocess.Popen[str]) -> None:
        self._shell = shell

    def type(self, commands: str) -> str:
        """Run commands to their end, and return their output.

        Raise AssertionError when one of them fails.
        """
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{commands}\necho; echo {END}\n")
        self._shell.stdin.flush()
        output = ""
        for line in self._shell.stdout:
            if line.rstrip() == END:
                return output
            output += line
        raise AssertionError(f"a command failed:\n{commands}\n{output}")


@contextmanager
def terminal(folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a terminal in a folder, and close it at the end."""
    with subprocess.Popen(
        ["bash", "-e", "-o", "pipefail"],  # noqa: S607  the user's own
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        patience = threading.Timer(PATIENCE, shell.kill)
        patience.start()
        try:
            yield Terminal(shell)
        finally:
            patience.cancel()
            shell.kill()


def looks_like(output: str, expected: str) -> bool:
    """Return whether an output matches the one in a document, where `…` stands for any text."""
    pattern = re.escape(_one_line(expected)).replace("…", ".*")
    return re.fullmatch(pattern, _one_line(output)) is not None


def _one_line(text: str) -> str:
    return " ".join(text.split())
