"""Run bin/new on a copy of the project, and compare the results."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.new.__main__ import main
from dev.new.git import git
from tests.support.coverage import unmeasured_environment
from tests.support.guide import copy_the_project
from tests.support.servers import ROOT

MYPY_CACHE = ".mypy_cache"


def snapshot(project: Path) -> dict[Path, bytes]:
    """Return all files with their contents, except compiled Python."""
    return {
        path: path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def last_writes(project: Path) -> dict[Path, tuple[int, int]]:
    """Return the inode of each file and folder, and when it was last written.

    A copy keeps the old times of its files. This is faster than comparing the contents.
    """
    found = {path: path.stat() for path in project.rglob("*")}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


def clone_the_project(project: Path) -> None:
    """Copy the project with its uncommitted changes, and commit everything in the copy."""
    copy_the_project(project)
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=Everything")


def lend_the_environment(project: Path) -> None:
    """Give a copy the installed packages and the mypy cache of this project."""
    (project / ".venv").symlink_to(sys.prefix)
    if (ROOT / ".uv").exists():
        (project / ".uv").symlink_to(ROOT / ".uv")
    if (ROOT / MYPY_CACHE).exists():
        shutil.copytree(ROOT / MYPY_CACHE, project / MYPY_CACHE)


def assert_passes(project: Path, *command: str) -> None:
    """Run a command of a copy, and show the end of its output if it fails."""
    done = subprocess.run(  # noqa: S603  commands of the project
        [project / command[0], *command[1:]],
        cwd=project,
        env=unmeasured_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]


def run(project: Path, command: str | Sequence[str]) -> int:
    """Run bin/new in this process, and return its exit code."""
    return main(command.split() if isinstance(command, str) else command, project)
