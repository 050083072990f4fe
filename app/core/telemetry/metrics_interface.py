"""The interface of the metrics, which does not import the library of Prometheus."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

ObserveRequest = Callable[[str, str | None, int | None, float], None]
"""Observes a request that has ended: its method, route, status, and seconds."""


class Overload(Protocol):
    """The figures of admission control."""

    in_flight: int
    rejections: int


class Try(Protocol):
    """A try of a job that has ended."""

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
    """The metrics of one process."""

    def of_requests(self, overload: Overload) -> ObserveRequest:
        """Add the metrics of requests. Return the function to call after each request."""

    def of_jobs(self, queue: str, names: Sequence[str]) -> Callable[[Try], None]:
        """Add the metrics of a queue's jobs. Return the function to call after each try."""

    def serving(self, engine: AsyncEngine) -> AbstractAsyncContextManager[None]:
        """Serve all metrics, including those of the event loop and of the connection pool."""
