from app.core.queue import EMAIL
from app.core.worker.settings import worker_settings
from app.workers import jobs

WorkerSettings = worker_settings(EMAIL, handlers=jobs)
