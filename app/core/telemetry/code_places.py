"""Finds functions and classes in the code, such as `app/workers/jobs.py:35`."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]


def place_of(function: Callable[..., object]) -> str:
    """Return the file and the line of a function. This reads no file."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    return _place(code.co_filename, code.co_firstlineno)


def place_of_class(found: type) -> str:
    """Return the file and the line of a class, or an empty text if there is no source."""
    try:
        _, line = inspect.findsource(found)
        return _place(inspect.getfile(found), line + 1)
    except (OSError, TypeError):
        return ""


def _place(file: str, line: int) -> str:
    return f"{file.removeprefix(f'{ROOT}{os.sep}')}:{line}"
