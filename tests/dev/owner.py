"""An owner of servers in a separate process, which tests kill, and its remaining processes."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.support.waiting import STALLED_AFTER

ROOT = Path(__file__).parents[2]


@contextmanager
def owner(script: str, *arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a script that prints one line when it is ready; yield its process and that line."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(  # noqa: S603  our own
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, first_line(process.stdout)
        finally:
            process.kill()


def first_line(stream: IO[str] | None) -> str:
    assert stream
    line = stream.readline().strip()
    assert line, "it ended before it was ready"
    return line


def descendants(pid: int) -> list[int]:
    """Return the ids of all present descendants of a process."""
    parents = dict(_processes())
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family[1:]


def _processes() -> Iterator[tuple[int, int]]:
    if not Path("/proc/self").exists():
        shown = subprocess.run(["/bin/ps", "-axo", "pid=,ppid="], capture_output=True, check=True)
        yield from (
            (int(pid), int(ppid)) for pid, ppid in map(bytes.split, shown.stdout.splitlines())
        )
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may contain anything. The parent is the second field after it.
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])


def wait_until_gone(pids: Iterable[int]) -> list[int]:
    """Wait for processes to end, and return those that do not."""
    deadline = time.monotonic() + STALLED_AFTER
    return [pid for pid in pids if not _gone(pid, deadline)]


def _gone(pid: int, deadline: float) -> bool:
    if not hasattr(os, "pidfd_open"):
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.01)
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
    finally:
        os.close(descriptor)
    return bool(ended)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
