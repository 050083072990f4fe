"""Search for jobs by state and other filters, page by page.

Waiting, scheduled, and dead jobs have rows. Running and retrying jobs are in sets of their queue's
Redis, which also records the last 1,000 tries of jobs that ended. Pages continue from a cursor, so
no page costs more than the first.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from app.core.control.found_jobs import FoundJob, FoundJobs, JobFilter, JobView, Position
from app.core.control.queues import find_queue
from app.core.control.search_queues import Found, Scan, classify, scan_queues
from app.core.control.search_rows import read_rows
from app.core.database import Sessions
from app.core.queue import QueuePools

MAX_PAGE_SIZE = 100

TIME_LIMIT = 2.0
"""Seconds that one statement of a search may take."""

MAX_READS = 5
"""How often a page reads more rows if those that it has read turn out to be in another state."""

IN_ROWS = {JobView.WAITING, JobView.SCHEDULED, JobView.DEAD}


async def search_jobs(  # noqa: PLR0913  each is an option
    sessions: Sessions,
    queues: QueuePools,
    filters: JobFilter,
    *,
    cursor: str | None = None,
    limit: int = 50,
    time_limit: float = TIME_LIMIT,
) -> FoundJobs:
    """Return a page of jobs.

    Waiting, dead, and finished jobs are sorted newest first, the others soonest first. A job that
    was sent without a transaction has no row, so it is found only as running, retrying, or
    finished.

    Raises InvalidCursor, SensitiveArgument, UnknownArguments, SearchTooBroad, QueueNotFound,
    QueueUnavailable, or DatabaseUnavailable.
    """
    filters.check()
    after = Position.decode(cursor) if cursor else None
    limit = max(1, min(limit, MAX_PAGE_SIZE))
    if filters.state in IN_ROWS:
        return await _search_rows(sessions, queues, filters, after, limit, time_limit)
    scans = await scan_queues(queues, filters, after)
    return _merge(scans, limit, newest_first=filters.state is JobView.FINISHED)


async def _search_rows(  # noqa: PLR0913, PLR0917  the arguments of `search_jobs`
    sessions: Sessions,
    queues: QueuePools,
    filters: JobFilter,
    after: Position | None,
    limit: int,
    time_limit: float,
) -> FoundJobs:
    found: list[tuple[Position, FoundJob]] = []
    for _ in range(MAX_READS):
        rows = await read_rows(sessions, filters, after, limit + 1, time_limit)
        if filters.state is not JobView.DEAD:
            found += await _without_active(queues, rows)
        else:
            found += rows
        if len(found) > limit:
            return FoundJobs([job for _, job in found[:limit]], found[limit - 1][0].encode())
        if len(rows) <= limit:
            return FoundJobs([job for _, job in found])
        after = rows[-1][0]
    return FoundJobs([job for _, job in found], after.encode() if after else None)


async def _without_active(queues: QueuePools, rows: Found) -> Found:
    """Leave out running and retrying jobs, which only Redis can tell apart from waiting ones."""
    by_queue: defaultdict[str, list[UUID]] = defaultdict(list)
    for _, job in rows:
        by_queue[job.queue].append(job.id)
    known = {queue.name for queue in queues}
    active: dict[UUID, JobView] = {}
    for name in by_queue.keys() & known:
        active |= await classify(queues, find_queue(queues, name), by_queue[name])
    return [(position, job) for position, job in rows if job.id not in active]


def _merge(scans: Sequence[Scan], limit: int, *, newest_first: bool) -> FoundJobs:
    """Merge the scans of the queues, up to the first position where one of them stopped."""
    ends = [each.until for each in scans if each.until is not None]
    end = min(ends, default=None)
    jobs = [pair for each in scans for pair in each.found if end is None or pair[0] <= end]
    jobs.sort(key=lambda pair: pair[0], reverse=newest_first)
    if len(jobs) > limit:
        return FoundJobs([job for _, job in jobs[:limit]], jobs[limit - 1][0].encode())
    return FoundJobs([job for _, job in jobs], end.encode() if end else None)
