"""A disk of a few megabytes, which can be full."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.unprivileged import choose, nobody

SIZE = "48m"
CHUNK = bytes(65_536)


@dataclass(frozen=True)
class SmallDisk:
    """A folder that is a separate disk."""

    path: Path

    @property
    def filler(self) -> Path:
        return self.path / "filler"

    def fill(self) -> None:
        """Leave no room."""
        try:
            with self.filler.open("ab", buffering=0) as file:
                while file.write(CHUNK):
                    pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def make_room(self) -> None:
        self.filler.unlink()


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mount a small disk in memory. Without the permission to mount, skip the test."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603
        reason = "not run: mounting a small disk takes root and the capability SYS_ADMIN"
        pytest.skip(reason)
    try:
        if choose() == "nobody":
            os.chown(path, *nobody())
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)  # noqa: S603, S607
