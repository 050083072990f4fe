"""A separate checkout for bin/dev, so that no test touches the developer's `.dev/`."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.dev.owner import ROOT, descendants, wait_until_gone
from tests.support.waiting import STALLED_AFTER


class DevServer:
    """A running bin/dev, its output, and its remaining processes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, text: str) -> str:
        """Read until the next line with the text."""
        while (line := self._lines.get(timeout=STALLED_AFTER)) is not None:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended without {text!r}:\n{''.join(self.said)}")

    def end(self, signum: signal.Signals) -> tuple[int, list[int]]:
        """Send a signal. Return the exit code and the remaining processes."""
        family = descendants(self.process.pid)
        assert len(family) >= 2
        self.process.send_signal(signum)
        return self.process.wait(), wait_until_gone(family)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def make_checkout(path: Path, *names: str) -> Path:
    """Create a checkout with links to the project. `app/` is a folder that a test may change."""
    (path / "app").mkdir(parents=True)
    for source in (ROOT / "app").iterdir():
        (path / "app" / source.name).symlink_to(source)
    for name in ("bin", "dev", "pyproject.toml", "uv.lock", ".uv", *names):
        (path / name).symlink_to(ROOT / name)
    (path / ".venv").symlink_to(sys.prefix)
    return path


@contextmanager
def run_bin_dev(checkout: Path, *arguments: str, **variables: str) -> Iterator[DevServer]:
    """Run bin/dev in a checkout, and stop it at the end."""
    with subprocess.Popen(  # noqa: S603  our own
        [checkout / "bin/dev", *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield DevServer(process)
        finally:
            process.terminate()
            try:
                process.wait(STALLED_AFTER)
            finally:
                process.kill()
