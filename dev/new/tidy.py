"""Sort imports and format code as bin/check requires, so that edits need not."""

import subprocess
import sys
from pathlib import Path

from dev.new.errors import NewError

RUFF = Path(sys.executable).with_name("ruff")
FIRST_PARTY = "lint.isort.known-first-party=['app', 'dev', 'tests']"
"""Ruff finds first-party modules on disk, but the new ones are not written yet."""

STEPS = (
    ("check", "--fix", "--quiet", "--select=I,RUF022", f"--config={FIRST_PARTY}"),
    ("format", "--quiet"),
)


def tidied(root: Path, file: str, text: str) -> str:
    """Return the formatted text of a file. Raise NewError for invalid Python."""
    if not file.endswith(".py"):
        return text
    for step in STEPS:
        done = subprocess.run(  # noqa: S603  our own arguments
            [RUFF, *step, f"--stdin-filename={file}", "-"],
            input=text,
            capture_output=True,
            text=True,
            cwd=root,
            check=False,
        )
        if done.returncode != 0:
            raise NewError(f"{file} would not be valid Python: {done.stderr.strip()}")
        text = done.stdout
    return text


def format_all(root: Path) -> None:
    """Format a whole project. With a shorter name, a statement may fit on one line."""
    subprocess.run([RUFF, "format", "--quiet", "--no-cache"], cwd=root, check=True)  # noqa: S603
