"""Processes that end when their owner ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from dev import babysitter
from dev.unprivileged import Identity, prefix

GRACE = 3.0
"""Seconds between the stop signal and SIGKILL."""

STOP_TIMEOUT = 60.0
"""Seconds after which a stuck babysitter is killed."""


class Lifeline:
    """A pipe to a babysitter, which stops its command when our end closes."""

    _open: ClassVar[set["Lifeline"]] = set()

    def __init__(self, grace: float = GRACE) -> None:
        """Open the pipe. A command that ignores the stop signal is killed after `grace` seconds."""
        self._grace = grace
        self.far_end, self._near_end = os.pipe()
        self._open.add(self)

    def command(self, command: Sequence[str | Path], stop_signal: signal.Signals) -> list[str]:
        """Return the command line that runs `command` under a babysitter."""
        numbers = map(str, (self.far_end, int(stop_signal), self._grace))
        return [sys.executable, "-I", "-S", babysitter.__file__, *numbers, *map(str, command)]

    def started(self) -> None:
        """Close the far end, which the babysitter holds now."""
        os.close(self.far_end)

    def cut(self) -> None:
        """Stop the command. A second call has no effect."""
        if self in self._open:
            self._open.remove(self)
            os.close(self._near_end)

    @classmethod
    def cut_all(cls) -> None:
        """Close all lifelines in a forked copy, which would otherwise keep the children alive."""
        for lifeline in [*cls._open]:
            lifeline.cut()


os.register_at_fork(after_in_child=Lifeline.cut_all)


class Child:
    """A command that ends when `stop` is called or when this process ends, even after `kill -9`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        output: int,
        stop_signal: signal.Signals = signal.SIGTERM,
        identity: Identity = "self",
        keep: Sequence[int] = (),
    ) -> None:
        """Start the command. It writes to the descriptor `output` and inherits those in `keep`."""
        self._lifeline = Lifeline()
        try:
            self._process = subprocess.Popen(  # noqa: S603  ours
                [*prefix(identity), *self._lifeline.command(command, stop_signal)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "LC_ALL": "C"},  # the one locale that every machine has
                pass_fds=(self._lifeline.far_end, *keep),
                start_new_session=True,  # Ctrl-C is for the owner, who stops us in order
            )
        finally:
            self._lifeline.started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The babysitter's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, or None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for the command to end by itself and return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """Stop the command and wait until it is gone."""
        self._lifeline.cut()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
