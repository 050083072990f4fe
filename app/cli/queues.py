"""`queues`: show, pause, resume, and limit queues."""

import argparse
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from app.cli.command import (
    DONE,
    FAILED,
    ActionArguments,
    Arguments,
    Subparsers,
    add_action,
    add_command,
    print_error,
    print_result,
)
from app.cli.scope import open_operator_scope
from app.cli.tables import Cell, table
from app.core import control
from app.core.control import Count, QueueLimits, QueueOverview, Throughput, UnknownQueue
from app.core.control.durations import format_duration
from app.core.resources import Resources
from app.services.operations import QueueOperations

HEADERS = (
    *("QUEUE", "WORKERS", "DUE", "RUNNING", "LATER", "RETRY", "DEAD"),
    *("OUTBOX", "1 MIN", "5 MIN", "LIMITS"),
)
LEGEND = """\
WORKERS   worker processes with a heartbeat in the last 15 seconds
DUE       jobs that wait for a worker, and how long the oldest has waited
RUNNING   jobs that run, and how many can run at once
LATER     jobs that wait for their time or for their next try
RETRY     jobs of LATER that wait for their next try
DEAD      jobs that failed for good, see `jobs dead`; 10,000+ if there are more
OUTBOX    jobs without a committed effect, and the time since the oldest was due
1 MIN     jobs that succeeded/failed in the last full minute; 5 MIN: in the last five
LIMITS    paused; at most 2 jobs start per second (2/s); at most 3 run at once (max 3)
"""


class QueueArguments(ActionArguments):
    queue: str


class RateArguments(QueueArguments):
    rate: float | None


class ConcurrencyArguments(QueueArguments):
    concurrency: int | None


def register(commands: Subparsers) -> None:
    queues = add_command(commands, "queues", show, help="show the state of the queues")
    queues.epilog = LEGEND
    queues.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = queues.add_subparsers(title="actions", metavar="ACTION")
    pause_parser = add_action(
        actions, "pause", pause, help="pause a queue, so that no further job starts"
    )
    resume_parser = add_action(actions, "resume", resume, help="resume a paused queue")
    rate = add_action(actions, "rate", set_rate, help="limit how many jobs start per second")
    concurrency = add_action(
        actions, "concurrency", set_concurrency, help="limit how many jobs run at once"
    )
    for parser in (pause_parser, resume_parser, rate, concurrency):
        parser.add_argument("queue")
    rate.add_argument("rate", type=_rate, help="jobs per second across all workers, or off")
    concurrency.add_argument(
        "concurrency", type=_concurrency, help="jobs across all workers, or off"
    )


async def show(resources: Resources, arguments: Arguments) -> int:
    overview = await control.overview(resources.reader, resources.queues)
    if overview.queues or overview.unknown:
        rows = [*map(_row, overview.queues), *map(_unknown_row, overview.unknown)]
        value = [*overview.queues, *overview.unknown]
        print_result(arguments, value, table(HEADERS, rows, right=HEADERS[1:-1]))
    for each in overview.queues:
        for name, count in each.postponed.items():
            print_error(
                f"{count} of {name} on the queue {each.queue!r} wait for a worker that knows this "
                "job and its fields. Deploy the workers, or cancel the jobs"
            )
    for missing in overview.unknown:
        print_error(
            f"The queue {missing.queue!r} is not in the code, and no worker runs its jobs. "
            "Deploy a release that has the queue, or cancel its jobs"
        )
    for warning in await control.collect_server_warnings(resources.sessions, resources.queues):
        print_error(warning)
    for down in overview.unavailable:
        print_error(down.cause)
    return FAILED if overview.unavailable else DONE


async def pause(resources: Resources, arguments: QueueArguments) -> int:
    async with operating(resources, arguments) as operations:
        limits = await operations.pause(arguments.queue)
        text = f"{arguments.queue} is paused: no further job starts. Running jobs continue."
        return _print_limits(arguments, limits, text)


async def resume(resources: Resources, arguments: QueueArguments) -> int:
    async with operating(resources, arguments) as operations:
        limits = await operations.resume(arguments.queue)
        return _print_limits(arguments, limits, f"{arguments.queue} starts jobs again.")


async def set_rate(resources: Resources, arguments: RateArguments) -> int:
    queue, rate = arguments.queue, arguments.rate
    text = f"at most {rate:g} jobs start per second" if rate else "no limit per second"
    async with operating(resources, arguments) as operations:
        limits = await operations.limit_rate(queue, rate)
        return _print_limits(arguments, limits, f"{queue}: {text}.")


async def set_concurrency(resources: Resources, arguments: ConcurrencyArguments) -> int:
    queue, jobs = arguments.queue, arguments.concurrency
    text = f"at most {jobs} jobs run at once" if jobs else "no limit except the workers' own"
    async with operating(resources, arguments) as operations:
        limits = await operations.limit_concurrency(queue, jobs)
        return _print_limits(arguments, limits, f"{queue}: {text}.")


@asynccontextmanager
async def operating(
    resources: Resources, arguments: QueueArguments
) -> AsyncIterator[QueueOperations]:
    """Open operations on queues. Print the result inside the block.

    The queue is changed even if the audit event at the end of the block cannot be stored.
    """
    async with open_operator_scope(resources, reason=arguments.reason) as scope:
        yield QueueOperations(scope)


def _print_limits(arguments: QueueArguments, limits: QueueLimits, text: str) -> int:
    return print_result(arguments, {"queue": arguments.queue, "limits": limits}, text)


def _row(stats: QueueOverview) -> list[Cell]:
    return [
        stats.queue,
        stats.workers,
        _with_age(stats.due, stats.oldest_due_age),
        f"{stats.running}/{stats.slots}",
        str(stats.scheduled),
        stats.retrying,
        str(stats.dead),
        _with_age(stats.outbox, stats.oldest_outbox_age),
        _ended(stats.last_minute),
        _ended(stats.last_five_minutes),
        ", ".join(_limits(stats.limits)) or None,
    ]


def _unknown_row(queue: UnknownQueue) -> list[Cell]:
    outbox = _with_age(queue.outbox, queue.oldest_outbox_age)
    dead = str(queue.dead)
    return [queue.queue, *[None] * 5, dead, outbox, None, None, "not in the code"]


def _with_age(count: int | Count, seconds: float | None) -> str:
    return f"{count} ({format_duration(seconds)})" if seconds is not None else str(count)


def _ended(jobs: Throughput) -> str:
    return f"{jobs.succeeded}/{jobs.failed}"


def _limits(limits: QueueLimits) -> Iterator[str]:
    if limits.paused:
        yield "paused"
    if limits.rate is not None:
        yield f"{limits.rate:g}/s"
    if limits.concurrency is not None:
        yield f"max {limits.concurrency}"


def _rate(text: str) -> float | None:
    if text == "off":
        return None
    with suppress(ValueError):
        if 0 < (rate := float(text)) < math.inf:
            return rate
    raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, or off")


def _concurrency(text: str) -> int | None:
    if text == "off":
        return None
    if text.isdecimal() and (jobs := int(text)) > 0:
        return jobs
    raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1, or off")
