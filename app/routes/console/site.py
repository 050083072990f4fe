"""All pages of the console."""

from app.routes.console import (
    audit,
    dead_letters,
    enqueue,
    job_classes,
    jobs,
    overview,
    queues,
    schedule,
    stream,
    users,
    workers,
)

ROUTERS = (
    overview.router,
    queues.router,
    jobs.router,
    job_classes.router,
    schedule.router,
    dead_letters.router,
    enqueue.router,
    workers.router,
    stream.router,
    users.router,
    audit.router,
)
