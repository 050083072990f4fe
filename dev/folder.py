"""The data folder of a server: who holds it, its password, the port it had."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.processes import command_of, describe

RELEASE_TIMEOUT = 60.0
"""Seconds that the server of a killed owner has to release its data."""

LOG_LIMIT = 10_000_000


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, in one step: a reader sees all of it or the old one."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
    beside.replace(path)


class FolderInUseError(RuntimeError):
    """Another process serves this data now."""

    def __init__(self, folder: Path, holder: int) -> None:
        self.holder = holder
        super().__init__(
            f"{folder} is in use by {describe(holder)}. Stop that first, or use another folder."
        )


class Folder:
    """A private folder (0700) with a lock that the system releases, so that it is never stale."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Lock the folder and yield the lock's descriptor. Raise FolderInUseError.

        Let the server inherit it. The folder then stays locked until the server has ended, even
        when its owner was killed before.
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
                # An owner that is gone was killed, and its server is on its way out.
                if command_of(owner) or time.monotonic() > deadline:
                    raise FolderInUseError(self.path, owner) from None
                time.sleep(0.02)

    def password(self) -> str:
        """Return the password kept in this folder, made on the first call."""
        path = self.path / "password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def last_port(self) -> int | None:
        """Return the port that was remembered last."""
        with suppress(OSError, ValueError):
            return int((self.path / "port").read_text())
        return None

    def remember_port(self, port: int) -> None:
        """Keep the port, so that a client's bookmark survives a restart."""
        (self.path / "port").write_text(str(port))

    @property
    def log(self) -> Path:
        """Where the server writes its log."""
        return self.path / "log"

    @contextmanager
    def open_log(self) -> Iterator[int]:
        """Yield a descriptor that appends to the log; past LOG_LIMIT bytes it is begun anew."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.unlink()
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def end_of_log(self, count: int = 15) -> str:
        """Return the last lines of the log, for the message of a failed start."""
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join([f"The end of {self.log}:", *lines])
