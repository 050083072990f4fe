from app.core.queue import BASE
from app.core.worker.cron import cron
from app.core.worker.settings import worker_settings
from app.schemas.jobs import BuildSignupReport, DeleteExpired
from app.workers import jobs

WorkerSettings = worker_settings(
    BASE,
    handlers=[jobs.build_signup_report, jobs.delete_expired],
    crons=[cron(BuildSignupReport(days=30), hour=3), cron(DeleteExpired(), hour=2)],
)
