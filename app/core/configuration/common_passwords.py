"""The passwords that leak most often."""

from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")


def is_common_password(password: str) -> bool:
    """Return whether a password, in lower case, is in the list."""
    return "\n" not in password and f"\n{password}\n" in _lines()


@cache
def _lines() -> str:
    # One text takes 80 kB, a set of its lines 1 MiB. Searching it takes microseconds.
    return "\n" + FILE.read_text()
