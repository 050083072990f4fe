"""A supervisor whose processes only wait for a signal."""

import os
import signal
import sys

from app.core.supervisor import Supervisor

os.write(1, b"imported\n")  # in one piece: all processes share the output


def sleep() -> None:
    os.write(1, b"asleep: %d\n" % os.getpid())
    signal.pause()


if __name__ == "__main__":
    sys.exit(Supervisor(sleep, 2, kill_after=60).run())
