"""The live parts of pages, and the functions that read their values."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

from app.core.config import Settings
from app.core.control import (
    JobFilter,
    JobView,
    all_live_workers,
    group_dead_letters,
    job_details,
    overview,
    search_jobs,
)
from app.core.exceptions import NotFound
from app.core.resources import Resources
from app.routes.console.job_actions import ACTIONS

Values = Mapping[str, object]


class UnknownPart(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such part of the console")


@dataclass(frozen=True, slots=True)
class Part:
    """A template and the function that reads its values. The function gets the subject's id."""

    template: str
    read: Callable[[Resources, str], Awaitable[Values]]


async def read_overview(resources: Resources, _: str = "") -> Values:
    return {"overview": await overview(resources.reader, resources.queues)}


async def read_workers(resources: Resources, _: str = "") -> Values:
    return {"workers": await all_live_workers(resources.queues)}


async def read_groups(resources: Resources, _: str = "") -> Values:
    return {"groups": await group_dead_letters(resources.sessions)}


async def read_job(resources: Resources, subject: str) -> Values:
    """Raise UnknownPart, JobNotFound, or QueueUnavailable."""
    details = await job_details(resources.sessions, resources.queues, _as_id(subject))
    can = {"retry": details.can_retry, "discard": details.can_discard, "cancel": details.can_cancel}
    actions = {name: action for name, action in ACTIONS.items() if can[name]}
    return {
        "details": details,
        "job": details.job,
        "actions": actions,
        "trace_link": _trace_link(details.trace_id, resources.settings),
    }


async def read_newest(resources: Resources, subject: str) -> Values:
    """Return a version that changes with the first page of a list of jobs.

    The subject is `dead`, or `dead:email`. Raise UnknownPart, QueueNotFound, or what `search_jobs`
    raises.
    """
    state, _, queue = subject.partition(":")
    if state not in [*JobView]:
        raise UnknownPart
    filters = JobFilter(state=JobView(state), queue=queue or None)
    found = await search_jobs(resources.sessions, resources.queues, filters)
    seen = "".join(f"{job.id}{job.state}{job.attempt}{job.ended_at}" for job in found.data)
    return {"version": f"{crc32(seen.encode()):08x}"}


PARTS: Mapping[str, Part] = {
    "overview": Part("overview_part.html", read_overview),
    "workers": Part("workers_part.html", read_workers),
    "dead-letters": Part("dead_letters_part.html", read_groups),
    "jobs": Part("jobs_part.html", read_newest),
    "job": Part("job_part.html", read_job),
}


def find_part(name: str) -> Part:
    """Return the part of this name. Raise UnknownPart."""
    if (part := PARTS.get(name)) is None:
        raise UnknownPart
    return part


def _as_id(subject: str) -> UUID:
    try:
        return UUID(subject)
    except ValueError:
        raise UnknownPart from None


def _trace_link(trace_id: str | None, settings: Settings) -> str | None:
    if trace_id is None or settings.trace_url is None:
        return None
    return settings.trace_url.replace("{trace_id}", trace_id)
