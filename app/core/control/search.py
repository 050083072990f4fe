"""Find jobs by their state and by what they are about, page by page.

Waiting, scheduled, and dead jobs are found in rows, running and retrying ones in the sets of their
queue, and those that ended in what the queue remembers of the last 1,000. A page ends with a
cursor, from which the next one goes on: no page costs more than the first.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from app.core.control.found_jobs import FoundJob, FoundJobs, JobFilter, JobView, Place
from app.core.control.queues import find_queue
from app.core.control.search_queues import Looked, classify, find_in_sets
from app.core.control.search_rows import read_rows
from app.core.database import Sessions
from app.core.queue import QueuePools

MOST = 100
"""Jobs on one page."""

TIME_LIMIT = 2.0
"""Seconds for one statement of a search."""

ROUNDS = 5
"""How often a page looks for more rows, when those that it has found are in another state."""

IN_ROWS = {JobView.WAITING, JobView.SCHEDULED, JobView.DEAD}

Found = Sequence[tuple[Place, FoundJob]]


async def search_jobs(  # noqa: PLR0913  each option is one of its own
    sessions: Sessions,
    queues: QueuePools,
    wanted: JobFilter,
    *,
    cursor: str | None = None,
    limit: int = 50,
    time_limit: float = TIME_LIMIT,
) -> FoundJobs:
    """Return a page of jobs.

    Those that wait, are dead, or ended come newest first; the others soonest first. A job that was
    sent without a transaction has no row: it is found while it runs, while it is tried again, and
    when it has ended.

    Raises InvalidCursor, SensitiveArgument, UnknownArguments, SearchTooBroad, QueueNotFound,
    QueueUnavailable, DatabaseUnavailable.
    """
    wanted.check()
    after = Place.decode(cursor) if cursor else None
    limit = max(1, min(limit, MOST))
    if wanted.state in IN_ROWS:
        return await _search_rows(sessions, queues, wanted, after, limit, time_limit)
    looked = await find_in_sets(queues, wanted, after)
    return _merged(looked, limit, newest_first=wanted.state is JobView.FINISHED)


async def _search_rows(  # noqa: PLR0913, PLR0917  those of `search_jobs`
    sessions: Sessions,
    queues: QueuePools,
    wanted: JobFilter,
    after: Place | None,
    limit: int,
    time_limit: float,
) -> FoundJobs:
    found: list[tuple[Place, FoundJob]] = []
    for _ in range(ROUNDS):
        rows = await read_rows(sessions, wanted, after, limit + 1, time_limit)
        if wanted.state is not JobView.DEAD:
            found += await _without_others(queues, rows)
        else:
            found += rows
        if len(found) > limit:
            return FoundJobs([job for _, job in found[:limit]], found[limit - 1][0].encode())
        if len(rows) <= limit:
            return FoundJobs([job for _, job in found])
        after = rows[-1][0]
    return FoundJobs([job for _, job in found], after.encode() if after else None)


async def _without_others(queues: QueuePools, rows: Found) -> Found:
    """Leave out the jobs that run or are tried again: their rows do not know it."""
    by_queue: defaultdict[str, list[UUID]] = defaultdict(list)
    for _, job in rows:
        by_queue[job.queue].append(job.id)
    known = {queue.name for queue in queues}
    others: dict[UUID, JobView] = {}
    for name in by_queue.keys() & known:
        others |= await classify(queues, find_queue(queues, name), by_queue[name])
    return [(place, job) for place, job in rows if job.id not in others]


def _merged(looked: Sequence[Looked], limit: int, *, newest_first: bool) -> FoundJobs:
    """Merge what the queues have found, up to where all of them have looked."""
    ends = [each.until for each in looked if each.until is not None]
    end = min(ends, default=None)
    jobs = [pair for each in looked for pair in each.found if end is None or pair[0] <= end]
    jobs.sort(key=lambda pair: pair[0], reverse=newest_first)
    if len(jobs) > limit:
        return FoundJobs([job for _, job in jobs[:limit]], jobs[limit - 1][0].encode())
    return FoundJobs([job for _, job in jobs], end.encode() if end else None)
