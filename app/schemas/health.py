from typing import Literal

from pydantic import BaseModel


class Check(BaseModel):
    status: Literal["up", "down"]
    error: str | None = None


class QueueCheck(Check):
    """`workers` is the number of live worker processes, or null while the queue's Redis is down."""

    workers: int | None = None


class Readiness(BaseModel):
    """`warnings` are sentences about what works but should not stay as it is."""

    status: Literal["ready", "not ready", "shutting down"]
    database: Check
    queues: dict[str, QueueCheck]
    warnings: list[str] = []

    @property
    def ready(self) -> bool:
        return self.status == "ready"
