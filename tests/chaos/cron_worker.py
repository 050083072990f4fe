"""A worker with a cron that runs every few seconds: `python -m tests.chaos.cron_worker`."""

from app.core.queue import BASE
from app.core.worker import run, worker_settings
from app.core.worker.cron.schedule import cron
from tests.chaos.jobs import HANDLERS, Tick

EVERY = 3
"""Seconds."""

if __name__ == "__main__":
    every_minute = cron(Tick(), minute=None, second={*range(0, 60, EVERY)})
    run(worker_settings(BASE, handlers=HANDLERS, crons=[every_minute]))
