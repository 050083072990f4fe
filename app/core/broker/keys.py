"""The names of a queue's keys in Redis. No other module contains one.

The names that start with `arq:` and the sorted set are arq's layout, so that a stock arq worker can
serve the queue. arq's keys of a job do not contain its queue, so every queue has its own Redis
database.
"""

from collections.abc import Iterable
from typing import Protocol

WORKER_LIFETIME = 15.0
"""Seconds after which a silent worker counts as dead."""


def activity_name(minute: int, name: str = "") -> str:
    """Return the part after the prefix in the key of an activity."""
    return f"{minute}:{name}" if name else f"{minute}"


class Named(Protocol):
    @property
    def name(self) -> str: ...


class QueueKeys:
    """The keys of one queue, which is given as an object or by its name.

    A Lua script lists the attributes that it needs. `named` returns them in that order.
    """

    abort = "arq:abort"
    job_prefix = "arq:job:"
    in_progress_prefix = "arq:in-progress:"
    retry_prefix = "arq:retry:"
    result_prefix = "arq:result:"
    progress_prefix = "arq:progress:"

    def __init__(self, queue: Named | str) -> None:
        name = queue if isinstance(queue, str) else queue.name
        self.queue = f"arq:queue:{name}"
        self.wake = f"{self.queue}:wake"
        self.running = f"{self.queue}:running"
        self.later = f"{self.queue}:later"
        self.priority = f"{self.queue}:priority"
        self.crashes = f"{self.queue}:crashes"
        self.postponed = f"{self.queue}:postponed"
        self.retrying = f"{self.queue}:retrying"
        self.limits = f"{self.queue}:control"
        # The name stays that of the first release: workers of two releases may share a queue.
        self.quarantine = f"{self.queue}:suspect"
        self.clock = f"{self.queue}:clock"
        self.bookmark = f"{self.queue}:bookmark"
        self.probe = f"{self.queue}:probe"
        self.workers = f"{self.queue}:workers"
        self.worker_prefix = f"{self.queue}:worker:"
        self.counter_prefix = f"{self.queue}:"
        self.events = f"{self.queue}:events"
        self.activity_prefix = f"{self.queue}:activity:"
        self.finished = f"{self.queue}:finished"
        self.failures = f"{self.queue}:failures"
        self.health_check = f"{self.queue}:health-check"

    def named(self, names: Iterable[str]) -> list[str]:
        """Return the keys with these names. Raises AttributeError for an unknown name."""
        return [getattr(self, name) for name in names]

    def worker(self, worker_id: str) -> str:
        return f"{self.worker_prefix}{worker_id}"

    def interrupt(self, worker_id: str) -> str:
        """Return the key of the list with which a worker interrupts its own wait for a token."""
        return f"{self.wake}:{worker_id}"

    def counter(self, outcome: str, minute: int | str) -> str:
        """Return the key of the number of jobs that ended in a minute since the epoch."""
        return f"{self.counter_prefix}{outcome}:{minute}"

    def activity(self, minute: int, name: str = "") -> str:
        """Return the key of the statistics of a job class, or of all classes, in a minute."""
        return f"{self.activity_prefix}{activity_name(minute, name)}"

    def job(self, job_id: object) -> str:
        return f"{self.job_prefix}{job_id}"

    def in_progress(self, job_id: object) -> str:
        return f"{self.in_progress_prefix}{job_id}"

    def retry(self, job_id: object) -> str:
        return f"{self.retry_prefix}{job_id}"

    def result(self, job_id: object) -> str:
        return f"{self.result_prefix}{job_id}"

    def progress(self, job_id: object) -> str:
        return f"{self.progress_prefix}{job_id}"
