"""A supervisor with a short time limit, whose processes ignore signals."""

import os
import signal
import sys

from app.core.supervisor import Supervisor


def be_deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, b"deaf\n")  # in one piece: two processes share the output
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(Supervisor(be_deaf, 2, kill_after=0.5).run())
