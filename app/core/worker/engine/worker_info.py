"""The information about a worker in its heartbeat."""

import os
import resource
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pydantic_core

from app import __version__
from app.core.telemetry.code_places import place_of
from app.core.worker.claims import Claim, Kind
from app.core.worker.cron.schedule import Cron
from app.core.worker.execution.registry import Definition
from app.core.worker.execution.rejected import read_name

STATM = Path("/proc/self/statm")


def new_worker_id() -> str:
    """Return a new id, which contains the host and the process of the worker."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


@dataclass(slots=True)
class Counters:
    """Jobs since the start of a worker, in Unix seconds. A deferred try counts as retried."""

    since: float = field(default_factory=time.time)
    started: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0

    def count(self, kind: Kind) -> None:
        match kind:
            case "succeeded":
                self.succeeded += 1
            case "failed" | "cancelled":
                self.failed += 1
            case "retry":
                self.retried += 1
            case "release":
                pass


class Capabilities:
    """The handlers of a worker, with their places in the code, and its crons."""

    def __init__(self, definitions: Iterable[Definition] = (), crons: Sequence[Cron] = ()) -> None:
        self.handlers = {each.name: place_of(each.handler) for each in definitions}
        self._crons = crons
        self._next: dict[str, datetime] = {}

    def crons(self, now: datetime) -> list[dict[str, object]]:
        """Return each cron with its next run."""
        return [
            {
                "name": cron.name,
                "job": type(cron.job).__name__,
                "queue": cron.job.queue.name,
                "payload": cron.job.model_dump(mode="json"),
                "schedule": cron.schedule,
                "next": self._next_run(cron, now).timestamp(),
            }
            for cron in self._crons
        ]

    def _next_run(self, cron: Cron, now: datetime) -> datetime:
        found = self._next.get(cron.name)
        if found is None or found <= now:
            found = self._next[cron.name] = cron.next_after(now)
        return found


def worker_info(
    claims: list[Claim], counters: Counters, capabilities: Capabilities, *, concurrency: int
) -> bytes:
    """Return a worker's info as JSON. Times are in Unix seconds, memory is in bytes."""
    return pydantic_core.to_json(
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "started": counters.since,
            "rss": resident_bytes(),
            "concurrency": concurrency,
            "running": [
                {
                    "id": claim.job_id,
                    "name": read_name(claim.payload or b""),
                    "started": claim.claimed_ms / 1000,
                }
                for claim in claims
            ],
            "succeeded": counters.succeeded,
            "failed": counters.failed,
            "retried": counters.retried,
            "handlers": capabilities.handlers,
            "crons": capabilities.crons(datetime.now(UTC)),
        }
    )


def resident_bytes() -> int:
    """Return the memory of this process, or its maximum if the system does not report it."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
