from app.core.queue import BASE
from app.core.worker.cron.schedule import cron
from app.core.worker.settings import worker_settings
from app.schemas import jobs
from app.workers import jobs as handlers

WorkerSettings = worker_settings(
    BASE,
    handlers=handlers,
    crons=[
        cron(jobs.BuildSignupReport(days=30), hour=3),
        cron(jobs.DeleteExpired(), hour=2),
    ],
)
