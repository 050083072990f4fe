"""What others may know about each try of a job: counters, metrics, and whatever comes next.

An observer is a function that is called with one report per try. To add one, append it to
`WorkerSettings.observers` before the worker runs, or enter `observers.observing(…)` in
`app.core.worker.settings`, where the worker opens what it holds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

import structlog

from app.core.job_store.attempts import TryOutcome

log = structlog.stdlib.get_logger("app.worker")


class LeaseLost(Exception):
    """Another worker may have taken the job: this one was frozen, or its Redis was away."""


class TryReport(NamedTuple):
    """How one try of a job ended. A tuple, because a frozen dataclass takes three times as long.

    `pickup_seconds` is the time from when the job was due until it began, None where that is not
    known: a stock arq worker does not know it. A job that no handler was given has a duration of
    0. `error_class` is the name of a class, and never its message, which may be private.
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
    """The observers of one worker. They run in its event loop, between two jobs: keep them short.

    An error of an observer is logged and harms no job.
    """

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def __bool__(self) -> bool:
        """Return whether there is an observer. Without observers, none has to be made."""
        return bool(self._observers)

    def append(self, observer: Observer) -> None:
        self._observers.append(observer)

    @contextmanager
    def observing(self, observer: Observer) -> Iterator[None]:
        """Call an observer for as long as the block lasts."""
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    def notify(self, report: TryReport) -> None:
        """Call each observer once."""
        for observer in self._observers:
            try:
                observer(report)
            except Exception as error:
                name = getattr(observer, "__qualname__", repr(observer))
                log.exception("observer.failed", observer=name, exc_info=error)
