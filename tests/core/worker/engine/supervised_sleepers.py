"""A supervisor whose processes only wait for a signal, so that they start quickly."""

import asyncio
import sys

from app.core.worker.supervisor import Supervisor

SLEEPER = """
import os, time
os.write(1, b"asleep: %d\\n" % os.getpid())  # in one piece: two processes share the output
time.sleep(600)
"""

if __name__ == "__main__":
    sys.exit(asyncio.run(Supervisor([sys.executable, "-S", "-c", SLEEPER], 2, kill_after=60).run()))
