"""Jobs in the outbox whose sender died."""

from uuid import UUID

from sqlalchemy import func, update

from app.core.job_store import outbox
from app.core.queue import to_message
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport


async def leave_unsent_jobs(resources: Resources, *, jobs: int = 1) -> list[UUID]:
    """Commit jobs without sending them, as a process that dies does. They are due for a check."""
    envelopes = [to_message(BuildSignupReport(days=day + 1), durable=True) for day in range(jobs)]
    async with resources.database.sessions.begin() as session:
        await outbox.store(session, envelopes)
        await session.execute(update(outbox.outbox).values(check_at=func.now()))
    return [envelope.id for envelope in envelopes]
