"""Cancelling tasks although a library may swallow a cancellation."""

import asyncio
from collections.abc import Callable, Iterable

ROUNDS = 5
INTERVAL = 1.0
"""Seconds between two rounds."""

AnyTask = asyncio.Task[object]


async def cancel_all(tasks: Callable[[], Iterable[AnyTask]]) -> int:
    """Cancel tasks repeatedly and return how many did not end.

    `tasks` is called in each round, to cancel what a task has started in the meantime.
    """
    running: set[AnyTask] = set()
    for _ in range(ROUNDS):
        # Earlier tasks stay in the set: one whose cancellation is interrupted may leave its own.
        running = {task for task in running | set(tasks()) if not task.done()}
        if not running:
            break
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=INTERVAL)
    return sum(not task.done() for task in running)


def raise_if_cancelled() -> None:
    """Raise CancelledError where redis-py has turned one into an error of its connection."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
