"""`jobs list`, `jobs groups`, and `jobs classes`: jobs by state, by error, and by class."""

import argparse
from datetime import UTC, datetime

from app.cli.command import Arguments, Subparsers, add_command, print_result
from app.cli.tables import Cell, facts_table, since, table
from app.core import control
from app.core.control import FoundJob, JobClassDetails, JobFilter, JobView, Percentiles
from app.core.resources import Resources

JOBS = ("ID", "KIND", "QUEUE", "STATE", "TRIES", "AGE", "ERROR")
GROUPS = ("QUEUE", "KIND", "ERROR", "COUNT", "LAST")
CLASSES = ("KIND", "QUEUE", "1 HOUR", "RETRIED", "FAILED", "PICKUP", "TIME")


class ListArguments(Arguments):
    state: JobView
    queue: str | None
    kind: str | None
    error: str | None
    request: str | None
    since: datetime | None
    until: datetime | None
    argument: list[str]
    cursor: str | None
    limit: int


class GroupArguments(Arguments):
    queue: str | None
    kind: str | None


class ClassArguments(Arguments):
    name: str | None


def register(actions: Subparsers) -> None:
    listed = add_command(actions, "list", list_jobs, help="list the jobs of a state that match")
    listed.add_argument("state", type=_state, help=", ".join(JobView))
    listed.add_argument("--queue", help="only of this queue")
    listed.add_argument("--kind", help="only of this kind: the name of a job class")
    listed.add_argument("--error", help="only with this class of error")
    listed.add_argument("--request", help="only of this request id")
    listed.add_argument("--since", type=_moment, help="only from this time: 2026-03-14T09:26")
    listed.add_argument("--until", type=_moment, help="only before this time")
    listed.add_argument(
        "--argument", action="append", default=[], help="only with this argument: user_id=42"
    )
    listed.add_argument("--cursor", help="continue after the last page")
    listed.add_argument("--limit", type=int, default=50, help="print at most this many (50)")
    groups = add_command(actions, "groups", list_groups, help="group dead letters by their error")
    groups.add_argument("--queue", help="only of this queue")
    groups.add_argument("--kind", help="only of this kind: the name of a job class")
    classes = add_command(
        actions, "classes", list_classes, help="show the statistics of the job classes"
    )
    classes.add_argument("name", nargs="?", help="show the details of this job class")


async def list_jobs(resources: Resources, arguments: ListArguments) -> int:
    filters = JobFilter(
        state=arguments.state,
        queue=arguments.queue,
        name=arguments.kind,
        error_class=arguments.error,
        since=arguments.since,
        until=arguments.until,
        request_id=arguments.request,
        arguments=control.arguments_of(arguments.argument),
    )
    page = await control.search_jobs(
        resources.sessions,
        resources.queues,
        filters,
        cursor=arguments.cursor,
        limit=arguments.limit,
    )
    text = table(JOBS, [_job(each) for each in page.data], right=("TRIES", "AGE"))
    if not page.data:
        text = "No job matches."
    more = f"\nMore: --cursor {page.cursor}" if page.cursor else ""
    return print_result(arguments, page, f"{text}{more}")


async def list_groups(resources: Resources, arguments: GroupArguments) -> int:
    groups = await control.group_dead_letters(
        resources.sessions, queue=arguments.queue, name=arguments.kind
    )
    rows = [
        (each.queue, each.name, each.error_class, each.count, since(each.last_failed_at))
        for each in groups
    ]
    text = table(GROUPS, rows, right=("COUNT", "LAST")) if rows else "There are no dead letters."
    return print_result(arguments, groups, text)


async def list_classes(resources: Resources, arguments: ClassArguments) -> int:
    if arguments.name is not None:
        details = await control.job_class_details(resources.queues, arguments.name)
        return print_result(arguments, details, _details(details))
    classes = await control.list_job_classes(resources.queues)
    rows = [
        (
            each.name,
            each.queue,
            sum(each.ended),
            each.last_hour.retried,
            each.last_hour.failed,
            _seconds(each.last_hour.pickup.p95),
            _seconds(each.last_hour.duration.p95),
        )
        for each in classes
    ]
    return print_result(arguments, classes, table(CLASSES, rows, right=CLASSES[2:]))


def _job(job: FoundJob) -> tuple[Cell, ...]:
    moment = job.ended_at or job.started_at or job.due_at or job.enqueued_at
    age = since(moment) if moment and moment <= datetime.now(UTC) else None
    return (job.id, job.name, job.queue, job.state, job.attempt, age, job.error)


def _details(details: JobClassDetails) -> str:
    day = details.last_day
    errors = dict.fromkeys(each.error_class or "" for each in details.recent_failures)
    facts = {
        "kind": details.summary.name,
        "queue": details.summary.queue,
        "class": details.source,
        "handler": details.handler,
        "tries": f"{details.summary.max_tries}, each up to {details.summary.timeout:g} s",
        "24 hours": f"{day.succeeded} succeeded, {day.failed} failed, {day.retried} retried",
        "pickup": _percentiles(day.pickup),
        "time": _percentiles(day.duration),
        "last errors": ", ".join(errors) or None,
    }
    return facts_table(facts)


def _percentiles(found: Percentiles) -> str | None:
    shares = {"p50": found.p50, "p95": found.p95, "p99": found.p99}
    known = [f"{name} {_seconds(share)}" for name, share in shares.items() if share is not None]
    return ", ".join(known) or None


def _seconds(seconds: float | None) -> str | None:
    """Format an estimated duration with few digits."""
    if seconds is None:
        return None
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.1f}s"


def _state(text: str) -> JobView:
    try:
        return JobView(text)
    except ValueError:
        states = ", ".join(JobView)
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {states}") from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 2026-03-14T09:26"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
