"""A supervisor that may open too few files for its second process, until SIGUSR1."""

import os
import resource
import signal
import sys

from app.core.supervisor import Supervisor
from tests.core.worker.engine.supervised_sleepers import sleep

ENOUGH_FOR_ONE = 7


def limit_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.dup(1) for _ in range(ENOUGH_FOR_ONE)]
    for number in free:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(free), hard))
    signal.signal(
        signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    )


if __name__ == "__main__":
    supervisor = Supervisor(sleep, 2, kill_after=60)
    limit_files()
    sys.exit(supervisor.run())
