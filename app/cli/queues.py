"""`queues`: how they stand, and what can be changed while they run."""

import argparse
import math
from collections.abc import Iterator
from contextlib import suppress

from app.cli.command import (
    DONE,
    FAILED,
    Arguments,
    Subparsers,
    add_command,
    answer,
    complain,
)
from app.cli.tables import Cell, age, table
from app.core import control
from app.core.control import QueueFigures, QueueLimits, Throughput
from app.core.queue import Queue
from app.core.resources import Resources

HEADERS = (
    *("QUEUE", "WORKERS", "DUE", "RUNNING", "LATER", "DEAD"),
    *("OUTBOX", "1 MIN", "5 MIN", "LIMITS"),
)
LEGEND = """\
WORKERS   worker processes that were heard of in the last 15 seconds
DUE       jobs whose time has come, and for how long the oldest has waited
LATER     jobs that wait for their time or for their next try
DEAD      jobs that failed for good: see `jobs dead`
OUTBOX    jobs whose effect has not been committed, and how long ago the oldest was due
1 MIN     jobs that succeeded/failed in the last full minute; 5 MIN: in the last five
LIMITS    paused, at most so many begun per second (2/s), at most so many at once (max 3)
"""


class QueueArguments(Arguments):
    queue: str


class RateArguments(QueueArguments):
    rate: float | None


class ConcurrencyArguments(QueueArguments):
    concurrency: int | None


def register(commands: Subparsers) -> None:
    queues = add_command(commands, "queues", show, help="show how the queues stand")
    queues.epilog = LEGEND
    queues.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = queues.add_subparsers(title="actions", metavar="ACTION")
    stop = add_command(actions, "pause", pause, help="begin no further job of a queue")
    go_on = add_command(actions, "resume", resume, help="end a pause")
    rate = add_command(actions, "rate", set_rate, help="limit how many jobs begin per second")
    at_once = add_command(
        actions, "concurrency", set_concurrency, help="limit how many jobs run at once"
    )
    for action in (stop, go_on, rate, at_once):
        action.add_argument("queue")
    rate.add_argument("rate", type=_rate, help="jobs per second over all workers, or off")
    at_once.add_argument("concurrency", type=_concurrency, help="jobs over all workers, or off")


async def show(resources: Resources, arguments: Arguments) -> int:
    figures, unavailable = [], []
    for queue in resources.queues:
        try:
            figures.append(await control.queue_figures(resources, queue))
        except control.QueueUnavailable as failure:
            unavailable.append(failure)
    if figures:
        answer(
            arguments,
            figures,
            table(HEADERS, [_row(each) for each in figures], right=HEADERS[1:-1]),
        )
    for each in unavailable:
        complain(each.cause)
    return FAILED if unavailable else DONE


async def pause(resources: Resources, arguments: QueueArguments) -> int:
    queue = control.queue_named(resources.queues, arguments.queue)
    limits = await control.pause(resources, queue)
    text = f"{queue.name} is paused: no further job begins, those that run go on."
    return _answer(arguments, queue, limits, text)


async def resume(resources: Resources, arguments: QueueArguments) -> int:
    queue = control.queue_named(resources.queues, arguments.queue)
    limits = await control.resume(resources, queue)
    return _answer(arguments, queue, limits, f"{queue.name} takes jobs again.")


async def set_rate(resources: Resources, arguments: RateArguments) -> int:
    queue, rate = control.queue_named(resources.queues, arguments.queue), arguments.rate
    limits = await control.set_rate(resources, queue, rate)
    text = f"at most {rate:g} jobs begin per second" if rate else "no limit per second"
    return _answer(arguments, queue, limits, f"{queue.name}: {text}.")


async def set_concurrency(resources: Resources, arguments: ConcurrencyArguments) -> int:
    queue, jobs = control.queue_named(resources.queues, arguments.queue), arguments.concurrency
    limits = await control.set_concurrency(resources, queue, jobs)
    text = f"at most {jobs} jobs run at once" if jobs else "no limit at once but the workers' own"
    return _answer(arguments, queue, limits, f"{queue.name}: {text}.")


def _answer(arguments: Arguments, queue: Queue, limits: QueueLimits, text: str) -> int:
    return answer(arguments, {"queue": queue.name, "limits": limits}, text)


def _row(figures: QueueFigures) -> list[Cell]:
    return [
        figures.queue,
        figures.workers,
        _with_age(figures.due, figures.oldest_due_age),
        figures.running,
        figures.scheduled,
        figures.dead,
        _with_age(figures.outbox, figures.oldest_outbox_age),
        _ended(figures.last_minute),
        _ended(figures.last_five_minutes),
        ", ".join(_limits(figures.limits)) or None,
    ]


def _with_age(count: int, seconds: float | None) -> str:
    return f"{count} ({age(seconds)})" if seconds is not None else str(count)


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
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number above 0 nor off")


def _concurrency(text: str) -> int | None:
    if text == "off":
        return None
    if text.isdecimal() and (jobs := int(text)) > 0:
        return jobs
    raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number from 1 nor off")
