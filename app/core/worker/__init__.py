"""The worker runtime, between arq and the handlers."""

from app.core.worker.cron.schedule import cron
from app.core.worker.runner import run
from app.core.worker.settings import worker_settings

__all__ = ["cron", "run", "worker_settings"]
