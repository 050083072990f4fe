"""Find the jobs in the sets of a queue: those that run, that are tried again, or that ended."""

import time
from asyncio import gather
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from app.core.broker.connection import Command
from app.core.broker.keys import QueueKeys
from app.core.broker.message import StoredMessage, Unreadable, decode
from app.core.control.found_jobs import FoundJob, JobFilter, JobView, Place
from app.core.control.queues import execute, find_queue
from app.core.job_store.attempts import RecordedTry, parse_try
from app.core.queue import Queue, QueuePools

LOOKED_AT = 1_000
"""Jobs of each queue that one page looks at."""

Found = Sequence[tuple[Place, FoundJob]]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in one queue, and up to where: None at the end."""

    found: Found
    until: Place | None = None


async def find_in_sets(
    queues: QueuePools, wanted: JobFilter, after: Place | None
) -> Sequence[Looked]:
    """Look through a set of each queue, in the order of the page. Raises QueueUnavailable."""
    chosen = [find_queue(queues, wanted.queue)] if wanted.queue else [*queues]
    look = _look_at_finished if wanted.state is JobView.FINISHED else _look_at_set
    return await gather(*(look(queues, queue, wanted, after) for queue in chosen))


async def classify(
    queues: QueuePools, queue: Queue, job_ids: Sequence[UUID]
) -> dict[UUID, JobView]:
    """Return which of these jobs run or are tried again. Raises QueueUnavailable."""
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
    """Return the tries of a job that its queue remembers, the first one first.

    Raises QueueUnavailable.
    """
    keys = QueueKeys(queue)
    replies = await execute(
        queues, queue, ("ZRANGE", keys.failures, 0, -1), ("ZRANGE", keys.finished, 0, -1)
    )
    mark = str(job_id).encode()
    lines = {line for reply in replies for line in reply if mark in line}
    tries = [each for line in lines if (each := parse_try(queue.name, line)) is not None]
    return sorted((each for each in tries if each.id == job_id), key=lambda each: each.ended_at)


async def _look_at_set(
    queues: QueuePools, queue: Queue, wanted: JobFilter, after: Place | None
) -> Looked:
    """Look at the jobs that run, by when their lease ends, or at those that are tried again."""
    keys = QueueKeys(queue)
    is_running = wanted.state is JobView.RUNNING
    key = keys.running if is_running else keys.retrying
    first = f"{after.moment.timestamp() * 1000:.0f}" if after else "-inf"
    if is_running and not after:
        first = f"({time.time() * 1000:.0f}"  # a lease that ended is of a worker that died
    command: Command = ("ZRANGEBYSCORE", key, first, "+inf", "WITHSCORES", "LIMIT", 0, LOOKED_AT)
    [entries] = await execute(queues, queue, command)
    places = [*_places(entries)]
    if not places:
        return Looked([])
    payloads, owners, tries = await execute(
        queues,
        queue,
        ("MGET", *(keys.job(place.id) for place in places)),
        ("MGET", *(keys.in_progress(place.id) for place in places)),
        ("MGET", *(keys.retry(place.id) for place in places)),
    )
    found = [
        (place, _found(queue, wanted.state, place, message, owner, attempt))
        for place, payload, owner, attempt in zip(places, payloads, owners, tries, strict=True)
        if (after is None or place > after)
        and (message := _message(payload)) is not None
        and _matches(wanted, message)
    ]
    return Looked(found, until=places[-1] if len(places) == LOOKED_AT else None)


async def _look_at_finished(
    queues: QueuePools, queue: Queue, wanted: JobFilter, after: Place | None
) -> Looked:
    [lines] = await execute(queues, queue, ("ZRANGE", QueueKeys(queue).finished, 0, -1))
    tries = (each for line in lines if (each := parse_try(queue.name, line)) is not None)
    found = [(Place(each.ended_at, each.id), each) for each in tries if _matches_try(wanted, each)]
    return Looked([(place, _ended(each)) for place, each in found if not after or place < after])


def _places(entries: Sequence[Any]) -> Iterable[Place]:
    """Read ids and scores: pairs, or in turns from a server that speaks the older protocol."""
    if entries and isinstance(entries[0], bytes):
        entries = list(zip(entries[::2], entries[1::2], strict=True))
    for job_id, score in entries:
        try:
            yield Place(_moment(float(score)), UUID(job_id.decode()))
        except (ValueError, OverflowError, OSError):
            continue  # no job of ours


def _moment(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def _message(payload: bytes | None) -> StoredMessage | None:
    try:
        return decode(payload) if payload else None
    except Unreadable:
        return None


def _found(  # noqa: PLR0913, PLR0917  what Redis has about a job
    queue: Queue,
    state: JobView,
    place: Place,
    message: StoredMessage,
    owner: bytes | None,
    attempt: bytes | None,
) -> FoundJob:
    started = (owner or b"").rpartition(b"/")[2]
    is_running = state is JobView.RUNNING
    return FoundJob(
        id=place.id,
        queue=queue.name,
        name=message.name,
        state=state.value,
        attempt=int(attempt) if attempt and attempt.isdigit() else None,
        enqueued_at=_moment(message.sent_ms),
        due_at=None if is_running else place.moment,
        started_at=_moment(int(started)) if is_running and started.isdigit() else None,
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


def _matches(wanted: JobFilter, message: StoredMessage) -> bool:
    if wanted.error_class is not None:
        return False  # what runs has no error yet, and a queue does not know the last one
    enqueued = _moment(message.sent_ms)
    return (
        wanted.name in {None, message.name}
        and wanted.request_id in {None, message.request_id}
        and (wanted.since is None or enqueued >= wanted.since)
        and (wanted.until is None or enqueued < wanted.until)
        and all(_argument(message.payload, path) == v for path, v in wanted.arguments.items())
    )


def _matches_try(wanted: JobFilter, recorded: RecordedTry) -> bool:
    return (
        wanted.name in {None, recorded.name}
        and wanted.request_id in {None, recorded.request_id}
        and wanted.error_class in {None, recorded.error_class}
        and (wanted.since is None or recorded.ended_at >= wanted.since)
        and (wanted.until is None or recorded.ended_at < wanted.until)
    )


def _argument(payload: Mapping[str, JsonValue], path: str) -> str | None:
    """Return an argument as PostgreSQL's `#>>` does: as text."""
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
