"""Run git."""

import os
import subprocess
from pathlib import Path

from dev.new.errors import NewError

NEUTRAL = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false")
AUTHOR = ("-c", "user.name=bin/new", "-c", "user.email=new@localhost")
"""The author of the first commit if git does not know the user's name."""


def git(folder: Path, *arguments: str) -> bytes:
    """Return the output of a git command in a folder. Raise NewError."""
    author = () if _knows_the_author(folder) else AUTHOR
    try:
        return _run(folder, *NEUTRAL, *author, *arguments)
    except FileNotFoundError:
        raise NewError(
            "git is not installed. bin/new needs it to create the first commit of a project."
        ) from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode().strip()
        raise NewError(f"git {arguments[0]} failed in {folder}: {reason}") from error


def _knows_the_author(folder: Path) -> bool:
    try:
        return bool(_run(folder, "config", "user.email"))
    except (FileNotFoundError, subprocess.CalledProcessError):
        return False


def _run(folder: Path, *arguments: str) -> bytes:
    variables = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(  # noqa: S603  our own arguments
        ["git", *arguments],  # noqa: S607  the developer's own git
        cwd=folder,
        env=variables,
        capture_output=True,
        check=True,
    ).stdout
