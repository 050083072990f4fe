"""Cancelling in a world where a library can swallow a cancellation."""

import asyncio
from collections.abc import Callable, Iterable

ROUNDS = 5
INTERVAL = 1.0
"""Seconds between two rounds."""

AnyTask = asyncio.Task[object]


async def cancel_all(tasks: Callable[[], Iterable[AnyTask]]) -> int:
    """Cancel tasks again and again; return how many would not end.

    `tasks` is asked in each round: what a task began in the meantime is to be cancelled as well.
    """
    running: set[AnyTask] = set()
    for _ in range(ROUNDS):
        # None is forgotten: a task whose cancellation is interrupted can leave its own behind.
        running = {task for task in running | set(tasks()) if not task.done()}
        if not running:
            break
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=INTERVAL)
    return sum(not task.done() for task in running)


def heed_cancellation() -> None:
    """Raise CancelledError where redis-py has made one an error of its connection, or lost it."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
