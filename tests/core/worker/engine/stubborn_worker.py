"""A supervisor with a short time limit, whose process ignores signals."""

import asyncio
import sys

from app.core.worker.supervisor import Supervisor

DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"deaf\\n")  # in one piece: two processes share the output
time.sleep(600)
"""

if __name__ == "__main__":
    sys.exit(asyncio.run(Supervisor([sys.executable, "-c", DEAF], 2, kill_after=0.5).run()))
