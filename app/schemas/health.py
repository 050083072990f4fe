from typing import Literal

from pydantic import BaseModel


class Check(BaseModel):
    status: Literal["up", "down"]
    error: str | None = None


class QueueCheck(Check):
    """`workers` counts the live worker processes; None while the queue's Redis is down."""

    workers: int | None = None


class Readiness(BaseModel):
    status: Literal["ready", "not ready", "shutting down"]
    database: Check
    queues: dict[str, QueueCheck]

    @property
    def ready(self) -> bool:
        return self.status == "ready"
