"""Jobs by the clock."""

from collections.abc import Mapping

import structlog
from arq import cron as arq_cron
from arq.cron import CronJob

from app.core.outbox import JobAlive
from app.core.queue import Job
from app.core.resources import Resources

log = structlog.stdlib.get_logger("app.worker")


def cron(job: Job, *, hour: int | set[int] | None = None, minute: int | set[int] = 0) -> CronJob:
    """Have a job done at these hours and minutes, in UTC; once, however many workers there are."""

    async def tick(ctx: Mapping[str, object]) -> None:
        resources, tick_id = ctx["resources"], ctx["job_id"]
        assert isinstance(resources, Resources)
        assert isinstance(tick_id, str)
        try:
            async with resources.unit_of_work() as uow:
                uow.enqueue(job, key=tick_id)
        except JobAlive as error:
            log.info("cron.ticked_before", tick=tick_id, job_id=str(error.job_id))

    return arq_cron(tick, name=f"cron:{type(job).__name__}", hour=hour, minute=minute, second=0)
