"""Cancellation of tasks, although redis-py may swallow it while it connects."""

import asyncio
from collections.abc import Callable, Iterable

ROUNDS = 5
INTERVAL = 1.0
"""Seconds between two rounds."""

AnyTask = asyncio.Task[object]


async def cancel_all(tasks: Callable[[], Iterable[AnyTask]]) -> int:
    """Cancel tasks repeatedly, and return how many did not end.

    Each round calls `tasks` again, to cancel tasks that were started in the meantime.
    """
    running: set[AnyTask] = set()
    for _ in range(ROUNDS):
        # Earlier tasks stay in the set, because a canceled task may remove itself before it ends.
        running = {task for task in running | set(tasks()) if not task.done()}
        if not running:
            break
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=INTERVAL)
    return sum(not task.done() for task in running)


def raise_if_cancelled() -> None:
    """Raise CancelledError if redis-py has swallowed one or turned it into a connection error.

    A task that continued would never end.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
