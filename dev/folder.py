"""The data folder of a server, with its lock, its password, and its last port."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.processes import command_of, describe

RELEASE_TIMEOUT = 60.0
"""Seconds within which the server of a killed owner releases its data."""

LOG_LIMIT = 10_000_000


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read. Replace it in one step."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
    beside.replace(path)


class FolderInUseError(RuntimeError):
    """Another process uses this data."""

    def __init__(self, folder: Path, holder: int) -> None:
        self.holder = holder
        super().__init__(
            f"{folder} is in use by {describe(holder)}. Stop that process, or use another folder."
        )


class Folder:
    """A private folder (0700) with a lock that the system releases, so the lock is never stale."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Lock the folder and yield the lock's descriptor. Raise FolderInUseError.

        The server inherits the descriptor. The folder stays locked until the server has ended, even
        if its owner was killed.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + RELEASE_TIMEOUT
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = int(os.pread(descriptor, 20, 0) or b"0")
                # The owner was killed, so its server is about to end.
                if command_of(owner) or time.monotonic() > deadline:
                    raise FolderInUseError(self.path, owner) from None
                time.sleep(0.02)

    def password(self) -> str:
        """Return the password of this folder. The first call generates it."""
        path = self.path / "password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def last_port(self) -> int | None:
        """Return the port that was stored last."""
        with suppress(OSError, ValueError):
            return int((self.path / "port").read_text())
        return None

    def remember_port(self, port: int) -> None:
        """Store the port, so that a bookmark of a client works after a restart."""
        (self.path / "port").write_text(str(port))

    @property
    def log(self) -> Path:
        """The path of the server's log."""
        return self.path / "log"

    @contextmanager
    def open_log(self) -> Iterator[int]:
        """Yield a descriptor that appends to the log. Empty it first if it exceeds LOG_LIMIT."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.unlink()
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def end_of_log(self, count: int = 15) -> str:
        """Return the last lines of the log, for the error message of a failed start."""
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join([f"The end of {self.log}:", *lines])
