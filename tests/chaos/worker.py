"""A worker of the jobs of these tests: `python -m tests.chaos.worker`, or arq's own command."""

import os
from dataclasses import replace

from app.core.queue import BASE
from app.core.worker import run, worker_settings
from tests.chaos.jobs import HANDLERS
from tests.chaos.processes import CONCURRENCY

WorkerSettings = replace(
    worker_settings(BASE, handlers=HANDLERS),
    max_jobs=int(os.environ.get(CONCURRENCY, BASE.concurrency)),
)

if __name__ == "__main__":
    run(WorkerSettings)
