"""`jobs`: list, show, and cancel jobs, and list, retry, and discard dead letters."""

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

from pydantic_core import to_json

from app.cli import job_lists
from app.cli.command import (
    DONE,
    ActionArguments,
    Arguments,
    Subparsers,
    add_action,
    add_command,
    print_error,
    print_result,
)
from app.cli.scope import open_operator_scope
from app.cli.tables import facts_table, since, table
from app.core import control
from app.core.control import (
    BulkAction,
    BulkResult,
    DeadLetterDetails,
    DeadLetterNotFound,
    DeadLetterPage,
    JobFilter,
    JobView,
)
from app.core.control.durations import format_duration
from app.core.exceptions import NotFound
from app.core.job_store.record import JobRecord, JobState
from app.core.job_store.tries import RecordedTry
from app.core.resources import Resources
from app.services.dead_letter_service import Change, DeadLetterService
from app.services.operations import JobOperations

HEADERS = ("ID", "KIND", "AGE", "ERROR")


class NoSuchKind(NotFound):
    def __init__(self, kind: str, kinds: dict[str, int]) -> None:
        existing = ", ".join(f"{name} ({count})" for name, count in sorted(kinds.items()))
        super().__init__(
            f"There is no dead letter of the kind {kind!r}. There are: {existing or 'none'}"
        )


class DeadArguments(Arguments):
    queue: str | None
    kind: str | None
    limit: int
    offset: int


class JobArguments(Arguments):
    id: UUID


class CancelArguments(ActionArguments):
    id: UUID


class ChosenArguments(ActionArguments):
    id: UUID | None
    all: str | None


def register(commands: Subparsers) -> None:
    jobs = commands.add_parser("jobs", help="show, retry, discard, and cancel jobs")
    actions = jobs.add_subparsers(title="actions", metavar="ACTION", required=True)
    job_lists.register(actions)
    dead = add_command(
        actions, "dead", list_dead, help="list jobs that failed for good, newest first"
    )
    dead.add_argument("queue", nargs="?", help="only from this queue")
    dead.add_argument("--kind", help="only of this kind: the name of a job class")
    dead.add_argument("--limit", type=_count, default=50, help="print at most this many (50)")
    dead.add_argument("--offset", type=_count, default=0, help="skip this many of the newest")
    show_parser = add_command(actions, "show", show, help="show the state and the error of a job")
    cancel_parser = add_action(actions, "cancel", cancel, help="cancel a waiting or running job")
    for parser in (show_parser, cancel_parser):
        parser.add_argument("id", type=UUID)
    for name, change, help_ in (
        ("retry", retry, "retry dead letters with all of their tries"),
        ("discard", discard, "delete dead letters"),
    ):
        chosen = add_action(actions, name, change, help=help_).add_mutually_exclusive_group(
            required=True
        )
        chosen.add_argument("id", nargs="?", type=UUID)
        chosen.add_argument(
            "--all", metavar="KIND", help="all of this kind: the name of a job class"
        )


async def list_dead(resources: Resources, arguments: DeadArguments) -> int:
    name = arguments.queue
    page = await control.list_dead_letters(
        resources.sessions,
        queue=control.find_queue(resources.queues, name) if name else None,
        kind=arguments.kind,
        limit=arguments.limit,
        offset=arguments.offset,
    )
    return print_result(arguments, page, _page(page, arguments.offset))


async def show(resources: Resources, arguments: JobArguments) -> int:
    details = await control.job_details(resources.sessions, resources.queues, arguments.id)
    job, dead_letter = details.job, None
    if job.state is JobState.FAILED:
        with suppress(DeadLetterNotFound):  # it was discarded
            dead_letter = await control.get_dead_letter(resources.sessions, job.id)
    return print_result(
        arguments,
        {"job": job, "tries": details.tries, "dead_letter": dead_letter},
        _describe(job, dead_letter, details.tries),
    )


async def retry(resources: Resources, arguments: ChosenArguments) -> int:
    if arguments.id:
        async with operating(resources, arguments) as operations:
            dead_letter = await operations.retry(arguments.id)
        value, text = {"retried": 1, "left": 0}, f"{dead_letter.name} {dead_letter.id}"
        return print_result(arguments, value, f"Retried: {text}.")
    result = await _change_all(resources, arguments, "retry")
    value, kind = {"retried": result.done, "left": result.refused}, arguments.all
    print_result(arguments, value, f"Retried: {result.done} of {kind}.")
    if result.refused:
        reason = (
            "because a worker holds the job, another job has its key, or its queue is not in the "
            "code"
        )
        return print_error(f"Not retried: {result.refused} of {kind}, {reason}.")
    return DONE


async def discard(resources: Resources, arguments: ChosenArguments) -> int:
    if arguments.id:
        async with operating(resources, arguments) as operations:
            dead_letter = await operations.discard(arguments.id)
        return print_result(
            arguments, {"discarded": 1}, f"Discarded: {dead_letter.name} {dead_letter.id}."
        )
    result = await _change_all(resources, arguments, "discard")
    text = f"Discarded: {result.done} of {arguments.all}."
    return print_result(arguments, {"discarded": result.done}, text)


async def cancel(resources: Resources, arguments: CancelArguments) -> int:
    async with operating(resources, arguments) as operations:
        job = await operations.cancel(arguments.id)
    outcome = "its worker stops it" if job.state is JobState.RUNNING else "it will not run"
    value = {"id": job.id, "was": job.state}
    return print_result(arguments, value, f"{job.name} {job.id} was {job.state}: {outcome}.")


@asynccontextmanager
async def operating(
    resources: Resources, arguments: ActionArguments
) -> AsyncIterator[JobOperations]:
    async with open_operator_scope(resources, reason=arguments.reason) as scope:
        yield JobOperations(scope, resources.sessions)


async def _change_all(
    resources: Resources, arguments: ChosenArguments, change: Change
) -> BulkResult:
    """Change all dead letters of a kind. The audit trail records it before it starts."""
    kind = await _existing_kind(resources, arguments.all)
    async with open_operator_scope(resources, reason=arguments.reason) as scope:
        DeadLetterService(scope).record_change(change, kind)
    filters = JobFilter(state=JobView.DEAD, name=kind)
    action = BulkAction(change)
    return await control.change_dead_letters(resources.sessions, resources.queues, action, filters)


async def _existing_kind(resources: Resources, kind: str | None) -> str:
    kinds = await control.count_dead_letters(resources.sessions)
    if kind is None or kind not in kinds:
        raise NoSuchKind(kind or "", kinds)
    return kind


def _page(page: DeadLetterPage, offset: int) -> str:
    if not page.data:
        return "There are no dead letters." if not page.count else "There are no more dead letters."
    rows = [(each.id, each.name, since(each.failed_at), each.error) for each in page.data]
    last = offset + len(page.data)
    return f"{table(HEADERS, rows, right=['AGE'])}\n{offset + 1}-{last} of {page.count}"


def _describe(
    job: JobRecord, dead_letter: DeadLetterDetails | None, tries: Sequence[RecordedTry]
) -> str:
    facts: dict[str, object] = {
        "id": job.id,
        "kind": job.name,
        "queue": job.queue,
        "state": job.state,
        "tries": job.attempt,
        "progress": None if job.progress is None else f"{job.progress:.0%}",
        "doing": job.progress_message,
        "enqueued": _moment(job.enqueued_at),
        "scheduled": _moment(job.scheduled_for),
        "started": _moment(job.started_at),
        "finished": _moment(job.finished_at),
        "result": None if job.result is None else to_json(job.result).decode(),
        "error": job.error or _last_error(tries),
    }
    if dead_letter:
        facts |= {
            "crashes": dead_letter.crashes,
            "key": dead_letter.key,
            "request": dead_letter.request_id,
            "payload": to_json(dead_letter.payload).decode(),
        }
    traceback = dead_letter and dead_letter.traceback
    return facts_table(facts) + (f"\n\n{traceback}" if traceback else "")


def _last_error(tries: Sequence[RecordedTry]) -> str | None:
    """Describe the latest error of a job that is tried again. The log has its message."""
    failed = [each for each in tries if each.error_class]
    if not failed:
        return None
    return f"{failed[-1].error_class} in try {failed[-1].attempt}, {_moment(failed[-1].ended_at)}"


def _moment(moment: datetime | None) -> str | None:
    """Format a time, and add its distance from now."""
    if moment is None:
        return None
    seconds = (datetime.now(UTC) - moment).total_seconds()
    distance = (
        f"{format_duration(seconds)} ago" if seconds >= 0 else f"in {format_duration(-seconds)}"
    )
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({distance})"


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)
