"""The crons: their last and next runs, and "run now".

Only workers know the crons. Each worker reports its crons with every heartbeat, so the list shows
what really runs. For a cron that no live worker has, it shows only the last run.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.core.broker.message import Envelope
from app.core.control.queues import find_queue
from app.core.control.workers import CronRecord, all_live_workers
from app.core.database import Sessions
from app.core.exceptions import NotFound
from app.core.job_store import outbox
from app.core.job_store.cron_ticks import cron_ticks
from app.core.logging import current_request_id
from app.core.queue import QueuePools


class CronNotFound(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"No live worker has a cron {name!r}. Start a worker whose settings have it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CronStatus:
    """A cron. The fields that only workers know are None if no live worker has the cron.

    `last_run` is the last scheduled time for which a job was enqueued.
    """

    name: str
    last_run: datetime | None
    job: str | None = None
    queue: str | None = None
    schedule: str | None = None
    next_run: datetime | None = None


async def list_crons(sessions: Sessions, queues: QueuePools) -> list[CronStatus]:
    """List the crons, sorted by name. Raises QueueUnavailable or DatabaseUnavailable."""
    known = await _crons_of_workers(queues)
    async with sessions() as session:
        rows = await session.execute(select(cron_ticks.c.name, cron_ticks.c.ticked_at))
        last_runs: dict[str, datetime] = {row.name: row.ticked_at for row in rows}
    return [
        _status(name, known.get(name), last_runs.get(name))
        for name in sorted(known.keys() | last_runs.keys())
    ]


async def run_cron_now(sessions: Sessions, queues: QueuePools, name: str) -> UUID:
    """Enqueue the job of a cron now, and return its id. The schedule does not change.

    Raises CronNotFound, QueueNotFound, QueueUnavailable, or DatabaseUnavailable.
    """
    cron = (await _crons_of_workers(queues)).get(name)
    if cron is None:
        raise CronNotFound(name)
    message = Envelope(
        id=uuid7(),
        queue=find_queue(queues, cron.queue).name,
        name=cron.job,
        payload=cron.payload,
        request_id=current_request_id(),
        durable=True,
    )
    async with sessions.begin() as session:
        await outbox.store(session, [message])
    await queues.post_stored([message])
    return message.id


async def _crons_of_workers(queues: QueuePools) -> dict[str, CronRecord]:
    """Return the crons of the live workers. If two releases run, the newest worker wins."""
    workers = sorted(await all_live_workers(queues), key=lambda worker: worker.started)
    return {cron.name: cron for worker in workers for cron in worker.crons}


def _status(name: str, cron: CronRecord | None, last_run: datetime | None) -> CronStatus:
    if cron is None:
        return CronStatus(name=name, last_run=last_run)
    return CronStatus(
        name=name,
        last_run=last_run,
        job=cron.job,
        queue=cron.queue,
        schedule=cron.schedule,
        next_run=cron.next,
    )
