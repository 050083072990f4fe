"""The terminal of bin/dev. Each line starts with the name of its process."""

import itertools
import os
import sys
from typing import TextIO

RESET, BOLD, DIM, RED = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m"
COLORS = ["\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[34m"]
WIDTH = len("email worker")


class Console:
    """The terminal that all processes write to, in color unless NO_COLOR is set."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.colored = stream.isatty() and not os.environ.get("NO_COLOR")
        self._stream = stream
        self._palette = itertools.cycle(COLORS)
        self._colors: dict[str, str] = {}

    def line(self, name: str, text: str) -> None:
        """Print a line of a process."""
        color = self._colors.get(name) or self._colors.setdefault(name, next(self._palette))
        self.plain(f"{self.styled(name.rjust(WIDTH), color)} {self.styled('|', DIM)} {text}")

    def say(self, text: str) -> None:
        """Print a message of bin/dev itself."""
        for line in text.splitlines():
            self.plain(f"{self.styled('dev'.rjust(WIDTH), BOLD)} {self.styled('|', DIM)} {line}")

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.say(self.styled(text, RED))

    def styled(self, text: str, style: str) -> str:
        """Return the text in a style, or plain if the terminal shows no styles."""
        return f"{style}{text}{RESET}" if self.colored else text

    def plain(self, text: str) -> None:
        """Print a line without a name."""
        # One write, so that lines of several threads do not mix.
        self._stream.write(text + "\n")
        self._stream.flush()
