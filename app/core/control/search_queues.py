"""Search for the running, retrying, and finished jobs in the sets of a queue's Redis."""

import time
from asyncio import gather
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from app.core.broker.keys import QueueKeys
from app.core.broker.message import StoredMessage, Unreadable, decode
from app.core.control.found_jobs import FoundJob, JobFilter, JobView, Position
from app.core.control.queues import execute, find_queue
from app.core.job_store.tries import RecordedTry, parse_try
from app.core.queue import Queue, QueuePools
from app.core.redis_connections.multiplexed import Command

SCAN_LIMIT = 1_000
"""Jobs of each queue that one page scans."""

Found = Sequence[tuple[Position, FoundJob]]


@dataclass(frozen=True, slots=True)
class Scan:
    """The jobs that were found in one queue, and the last position, or None at the end."""

    found: Found
    until: Position | None = None


async def scan_queues(
    queues: QueuePools, filters: JobFilter, after: Position | None
) -> Sequence[Scan]:
    """Scan a set of each queue, in the order of the page. Raises QueueUnavailable."""
    chosen = [find_queue(queues, filters.queue)] if filters.queue else [*queues]
    scan = _scan_finished if filters.state is JobView.FINISHED else _scan_set
    return await gather(*(scan(queues, queue, filters, after) for queue in chosen))


async def classify(
    queues: QueuePools, queue: Queue, job_ids: Sequence[UUID]
) -> dict[UUID, JobView]:
    """Return which of these jobs are running or retrying. Raises QueueUnavailable."""
    if not job_ids:
        return {}
    keys, names = QueueKeys(queue), [str(each) for each in job_ids]
    running, retrying = await execute(
        queues,
        queue,
        ("ZMSCORE", keys.running, *names),
        ("ZMSCORE", keys.retrying, *names),
    )
    found = {}
    now = time.time() * 1000
    for job_id, lease, due in zip(job_ids, running, retrying, strict=True):
        if lease is not None and float(lease) > now:
            found[job_id] = JobView.RUNNING
        elif due is not None:
            found[job_id] = JobView.RETRYING
    return found


async def recorded_tries(queues: QueuePools, queue: Queue, job_id: UUID) -> list[RecordedTry]:
    """Return the recorded tries of a job, oldest first. Raises QueueUnavailable."""
    keys = QueueKeys(queue)
    replies = await execute(
        queues, queue, ("ZRANGE", keys.failures, 0, -1), ("ZRANGE", keys.finished, 0, -1)
    )
    needle = str(job_id).encode()
    lines = {line for reply in replies for line in reply if needle in line}
    tries = [each for line in lines if (each := parse_try(queue.name, line)) is not None]
    return sorted((each for each in tries if each.id == job_id), key=lambda each: each.ended_at)


async def _scan_set(
    queues: QueuePools, queue: Queue, filters: JobFilter, after: Position | None
) -> Scan:
    """Scan running jobs by the end of their lease, or retrying jobs by the time of the next try."""
    keys = QueueKeys(queue)
    is_running = filters.state is JobView.RUNNING
    key = keys.running if is_running else keys.retrying
    first = f"{after.time.timestamp() * 1000:.0f}" if after else "-inf"
    if is_running and not after:
        first = f"({time.time() * 1000:.0f}"  # the worker of an expired lease has died
    command: Command = ("ZRANGEBYSCORE", key, first, "+inf", "WITHSCORES", "LIMIT", 0, SCAN_LIMIT)
    [entries] = await execute(queues, queue, command)
    positions = [*_positions(entries)]
    if not positions:
        return Scan([])
    payloads, owners, tries = await execute(
        queues,
        queue,
        ("MGET", *(keys.job(each.id) for each in positions)),
        ("MGET", *(keys.in_progress(each.id) for each in positions)),
        ("MGET", *(keys.retry(each.id) for each in positions)),
    )
    found = [
        (position, _found(queue, filters.state, position, message, owner, tried))
        for position, payload, owner, tried in zip(positions, payloads, owners, tries, strict=True)
        if (after is None or position > after)
        and (message := _message(payload)) is not None
        and _matches(filters, message)
    ]
    return Scan(found, until=positions[-1] if len(positions) == SCAN_LIMIT else None)


async def _scan_finished(
    queues: QueuePools, queue: Queue, filters: JobFilter, after: Position | None
) -> Scan:
    [lines] = await execute(queues, queue, ("ZRANGE", QueueKeys(queue).finished, 0, -1))
    tries = (each for line in lines if (each := parse_try(queue.name, line)) is not None)
    found = [(Position(t.ended_at, t.id), _ended(t)) for t in tries if _matches_try(filters, t)]
    return Scan([(position, job) for position, job in found if not after or position < after])


def _positions(entries: Sequence[Any]) -> Iterable[Position]:
    """Parse ids and scores, which are pairs in RESP3 and a flat list in RESP2."""
    if entries and isinstance(entries[0], bytes):
        entries = list(zip(entries[::2], entries[1::2], strict=True))
    for job_id, score in entries:
        try:
            yield Position(_time(float(score)), UUID(job_id.decode()))
        except (ValueError, OverflowError, OSError):
            continue  # another program's entry


def _time(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def _message(payload: bytes | None) -> StoredMessage | None:
    try:
        return decode(payload) if payload else None
    except Unreadable:
        return None


def _found(  # noqa: PLR0913, PLR0917  the data in Redis about a job
    queue: Queue,
    state: JobView,
    position: Position,
    message: StoredMessage,
    owner: bytes | None,
    tries: bytes | None,
) -> FoundJob:
    started = (owner or b"").rpartition(b"/")[2]
    is_running = state is JobView.RUNNING
    first = 1 if is_running else None  # Redis counts the first try only when the job is retried
    return FoundJob(
        id=position.id,
        queue=queue.name,
        name=message.name,
        state=state.value,
        attempt=int(tries) if tries and tries.isdigit() else first,
        enqueued_at=_time(message.sent_ms),
        due_at=None if is_running else position.time,
        started_at=_time(int(started)) if is_running and started.isdigit() else None,
        request_id=message.request_id,
    )


def _ended(recorded: RecordedTry) -> FoundJob:
    return FoundJob(
        id=recorded.id,
        queue=recorded.queue,
        name=recorded.name,
        state=recorded.outcome,
        attempt=recorded.attempt,
        ended_at=recorded.ended_at,
        duration=recorded.duration,
        error=recorded.error_class,
        request_id=recorded.request_id,
    )


def _matches(filters: JobFilter, message: StoredMessage) -> bool:
    if filters.error_class is not None:
        return False  # Redis does not store the error of the last try with the job
    enqueued = _time(message.sent_ms)
    return (
        filters.name in {None, message.name}
        and filters.request_id in {None, message.request_id}
        and (filters.since is None or enqueued >= filters.since)
        and (filters.until is None or enqueued < filters.until)
        and all(_argument(message.payload, path) == v for path, v in filters.arguments.items())
    )


def _matches_try(filters: JobFilter, recorded: RecordedTry) -> bool:
    return (
        filters.name in {None, recorded.name}
        and filters.request_id in {None, recorded.request_id}
        and filters.error_class in {None, recorded.error_class}
        and (filters.since is None or recorded.ended_at >= filters.since)
        and (filters.until is None or recorded.ended_at < filters.until)
    )


def _argument(payload: Mapping[str, JsonValue], path: str) -> str | None:
    """Return an argument as text, as PostgreSQL's `#>>` does."""
    value: Any = payload
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
