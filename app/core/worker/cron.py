"""Jobs by the clock."""

from collections.abc import Mapping
from uuid import NAMESPACE_OID, uuid5

from arq import cron as arq_cron
from arq.cron import CronJob

from app.core.queue import Job
from app.core.resources import Resources


def cron(job: Job, *, hour: int | set[int] | None = None, minute: int | set[int] = 0) -> CronJob:
    """Send a job at these hours and minutes, in UTC; once, however many workers there are."""

    async def tick(ctx: Mapping[str, object]) -> None:
        match ctx:
            case {"resources": Resources() as resources, "job_id": str(tick_id)}:
                # The same tick gives the same id, so that sending it twice sends it once.
                await resources.queues.send(job, job_id=uuid5(NAMESPACE_OID, tick_id))

    return arq_cron(tick, name=f"cron:{type(job).__name__}", hour=hour, minute=minute, second=0)
