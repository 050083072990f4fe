"""Jobs in the Redis of their queue."""

from asyncio import gather
from uuid import UUID

from app.core.job_store.live import read_job
from app.core.job_store.record import JobRecord
from app.core.queue import QueuePools


async def find_job(queues: QueuePools, job_id: UUID) -> JobRecord | None:
    """Return the state of a job that one of the queues knows."""
    records = await gather(*(read_job(queues[queue], queue, job_id) for queue in queues))
    return next((record for record in records if record is not None), None)
