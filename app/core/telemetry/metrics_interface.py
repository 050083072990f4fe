"""What measures a process, and what it is given, without the library of Prometheus."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

ObserveRequest = Callable[[str, str | None, int | None, float], None]
"""Takes the method, the route, the status, and the seconds of a request that has ended."""


class Overload(Protocol):
    """What admission control knows."""

    in_flight: int
    rejections: int


class Try(Protocol):
    """How a try of a job ended."""

    @property
    def name(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def pickup_seconds(self) -> float | None: ...
    @property
    def duration_seconds(self) -> float: ...
    @property
    def lost_its_lease(self) -> bool: ...


class Metrics(Protocol):
    """What one process measures about itself."""

    def of_requests(self, overload: Overload) -> ObserveRequest:
        """Measure requests, each of which is to be reported to the result."""

    def of_jobs(self, queue: str, names: Sequence[str]) -> Callable[[Try], None]:
        """Measure the jobs of a queue, each try of which is to be reported to the result."""

    def serving(self, engine: AsyncEngine) -> AbstractAsyncContextManager[None]:
        """Serve the metrics, and those of the event loop and the pool of the database."""
