"""Programs that these tests need and that no Python package contains."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"


def find_component(name: str, package: str) -> Path:
    """Return a program's path.

    Without the program, the test is skipped with the name of its package. In CI, it fails.
    """
    path = ":".join([os.environ.get("PATH", os.defpath), SYSTEM_FOLDERS, *_newest_postgres()])
    if found := shutil.which(name, path=path):
        return Path(found)
    reason = f"not run: {name} is missing. Install it: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _newest_postgres() -> list[str]:
    """Return where Debian puts the programs of PostgreSQL, the newest version first."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(map(str, folders), key=lambda path: float(path.split("/")[4]), reverse=True)


def version_of(program: Path) -> tuple[int, ...]:
    shown = subprocess.run(  # noqa: S603  a component of this test
        [program, "--version"], capture_output=True, text=True, check=True
    )
    number = re.search(r"(\d+)\.(\d+)", shown.stdout)
    assert number, shown.stdout
    return tuple(map(int, number.groups()))
