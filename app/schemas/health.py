from typing import Literal

from pydantic import BaseModel


class Check(BaseModel):
    status: Literal["up", "down"]
    error: str | None = None


class QueueCheck(Check):
    """The state of a queue's Redis. `workers` is the number of live workers, null if it is down."""

    workers: int | None = None


class Readiness(BaseModel):
    """The readiness. `warnings` are sentences about problems that do not make it unready."""

    status: Literal["ready", "not ready", "shutting down"]
    database: Check
    queues: dict[str, QueueCheck]
    warnings: list[str] = []

    @property
    def ready(self) -> bool:
        return self.status == "ready"
