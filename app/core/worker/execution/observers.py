"""Observers of tries, such as counters and metrics.

An observer is a function that is called with one report per try. To add one, append it to
`WorkerSettings.observers` before the worker runs, or enter `observers.observing(…)` in
`app.core.worker.settings`, where the worker opens its resources.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

import structlog

from app.core.job_store.tries import TryOutcome

log = structlog.stdlib.get_logger("app.worker")


class LeaseLost(Exception):
    """Another worker may have claimed the job, because this one was frozen or Redis was down."""


class TryReport(NamedTuple):
    """The end of one try. It is a tuple, because a frozen dataclass takes three times as long.

    `pickup_seconds` is the time between the job's due time and its start, or None in a stock arq
    worker, which does not know it. A job that reached no handler has a duration of 0. There is no
    error message, because it may be private.
    """

    queue: str
    name: str
    job_id: UUID
    attempt: int
    outcome: TryOutcome
    pickup_seconds: float | None
    duration_seconds: float
    error_class: str | None = None
    request_id: str | None = None
    traceparent: str | None = None

    @property
    def lost_its_lease(self) -> bool:
        return self.error_class == LeaseLost.__name__


Observer = Callable[[TryReport], None]


class Observers:
    """The observers of one worker. They run in its event loop, so they must be fast.

    An observer's error is logged, and does not affect the job.
    """

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def __bool__(self) -> bool:
        """Return whether there is an observer. Without one, no report has to be created."""
        return bool(self._observers)

    def append(self, observer: Observer) -> None:
        self._observers.append(observer)

    @contextmanager
    def observing(self, observer: Observer) -> Iterator[None]:
        """Add an observer during the block."""
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    def notify(self, report: TryReport) -> None:
        for observer in self._observers:
            try:
                observer(report)
            except Exception as error:
                name = getattr(observer, "__qualname__", repr(observer))
                log.exception("observer.failed", observer=name, exc_info=error)
