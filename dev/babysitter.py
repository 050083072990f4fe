"""Run a command that ends with its owner: `babysitter.py FD SIGNAL GRACE COMMAND…`.

FD is the read end of a pipe, and only the owner holds the write end. The pipe closes when the owner
ends, even after `kill -9`. The command then gets SIGNAL. After GRACE seconds, the rest of its
process group gets SIGKILL. The exit code is the command's, or 128 + n if signal n ended it.

The script uses only the standard library, so it starts quickly without site-packages.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from types import FrameType

PR_SET_PDEATHSIG = 1


def main(lifeline: int, stop_signal: int, grace: float, command: list[str]) -> int:
    """Start the command, stop it when the lifeline ends, and return its exit code."""
    os.set_inheritable(lifeline, False)
    babysitter = os.getpid()
    child = os.fork()
    if child == 0:
        become(command, babysitter)

    def pass_on(_signum: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, stop_signal)

    for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, pass_on)
    threading.Thread(
        target=stop_with_owner, args=(lifeline, child, stop_signal, grace), daemon=True
    ).start()
    _, status = os.waitpid(child, 0)
    kill_group(child)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def become(command: list[str], babysitter: int) -> None:
    """Replace the forked child with the command. This does not return."""
    try:
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != babysitter:  # the babysitter died before prctl took effect
            os._exit(1)
        os.execvp(command[0], command)  # noqa: S606  the command line of the owner
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(127)


def stop_with_owner(lifeline: int, child: int, stop_signal: int, grace: float) -> None:
    """Wait for the owner to end, then stop the command, which stops its own children."""
    os.read(lifeline, 1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, stop_signal)
    time.sleep(grace)
    kill_group(child)


def kill_group(leader: int) -> None:
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # macOS: EPERM for a group of zombies
        os.killpg(leader, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
