"""Timeouts of jobs with one shared timer. `asyncio.timeout` would set one timer per job."""

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """Cancels the task that entered it when the time is over, and raises TimeoutError there."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task", "when")

    def __init__(self, deadlines: "Deadlines", when: float) -> None:
        self._deadlines = deadlines
        self.when = when
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._deadlines.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        if not self._expired:
            return
        # If other code has canceled the task at the same time, it stays canceled.
        is_ours = self._task.uncancel() <= self._cancelling
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()


class Deadlines:
    """The timeouts of the jobs in one event loop."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> Deadline:
        """Return a context manager that raises TimeoutError after this time."""
        return Deadline(self, asyncio.get_running_loop().time() + seconds)

    def add(self, deadline: Deadline) -> None:
        self._running.add(deadline)
        if self._timer is None or deadline.when < self._timer.when():
            self._set_timer(deadline.when)

    def remove(self, deadline: Deadline) -> None:
        # The timer stays, because an unneeded wakeup is cheaper than moving it now.
        self._running.discard(deadline)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for deadline in [each for each in self._running if each.when <= now]:
            self._running.remove(deadline)
            deadline.expire()
        if self._running:
            self._set_timer(min(each.when for each in self._running))
