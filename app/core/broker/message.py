"""A job as a message, and its encoding in Redis.

The encoding is JSON in arq's layout, so that a stock arq worker can serve the queue. The keys are
arq's: `f` is the function, `a` and `k` are its arguments, `t` is the try, `et` the enqueue time.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

import pydantic_core
from pydantic import JsonValue

from app.core.broker.errors import error_message
from app.core.telemetry.messaging import Sending
from app.core.telemetry.traceparent import readable


class Unreadable(ValueError):
    """Bytes that no release of this service has written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A job to send to its queue. If it is `durable`, it has a row in the outbox.

    `priority` is a number of minutes. The job goes ahead of jobs that have waited less than that.
    """

    id: UUID
    queue: str
    name: str
    payload: dict[str, JsonValue]
    request_id: str | None
    due_at: datetime | None = None
    priority: int = 0
    durable: bool = False
    traceparent: str | None = None

    def sent_in(self, sending: Sending) -> Self:
        """Return the same job in the trace of its sender."""
        return replace(self, traceparent=sending.traceparent_of(self.queue))

    def encode(self) -> bytes:
        """Return the bytes that the queue stores.

        `kept` is the first release's name of `durable`. Workers of all releases read it, so a
        rolling deployment loses nothing. The trace is not in `k`, because arq passes `k` as
        arguments, and workers of earlier releases do not accept that argument.
        """
        stored = {
            "t": None,
            "f": self.name,
            "a": (self.payload,),
            "k": {"request_id": self.request_id, "kept": self.durable},
            "et": now_ms(),
        }
        if self.traceparent is not None:
            stored["traceparent"] = self.traceparent
        return pydantic_core.to_json(stored)


class StoredMessage(NamedTuple):
    """The part of a job that a worker reads. `sent_ms` is in milliseconds since the epoch."""

    name: str
    payload: dict[str, JsonValue]
    request_id: str | None
    durable: bool
    sent_ms: int
    traceparent: str | None = None


def decode(data: bytes) -> StoredMessage:
    """Decode a message of `encode`. Raises Unreadable for anything else, such as a pickle."""
    try:
        stored = pydantic_core.from_json(data)
    except ValueError as error:
        raise Unreadable(f"the payload is not JSON: {error}") from error
    match stored:
        case {"f": str(name), "a": [dict(payload)], "k": dict(options), "et": int(sent_ms)}:
            request_id, durable = options.get("request_id"), options.get("kept", False)
            if isinstance(request_id, str | None) and isinstance(durable, bool):
                return StoredMessage(
                    name, payload, request_id, durable, sent_ms, readable(stored.get("traceparent"))
                )
    raise Unreadable("the payload is JSON, but not a job: it must name a job and its arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The result of a job. `value` is JSON. Times are in milliseconds since the epoch."""

    job_id: str
    queue_key: str
    name: str
    attempt: int
    sent_ms: int
    started_ms: int
    succeeded: bool
    value: bytes

    def encode(self) -> bytes:
        """Return the bytes to store, without the job's arguments, which may be private."""
        fields = pydantic_core.to_json(
            {
                "t": self.attempt,
                "f": self.name,
                "a": (),
                "k": {},
                "et": self.sent_ms,
                "s": self.succeeded,
                "st": self.started_ms,
                "ft": now_ms(),
                "q": self.queue_key,
                "id": self.job_id,
            }
        )
        return b'%b,"r":%b}' % (fields[:-1], self.value)


def error_value(error: BaseException) -> bytes:
    """Return the value in the result of a failed job."""
    return pydantic_core.to_json({"error": type(error).__name__, "message": error_message(error)})


def now_ms() -> int:
    return round(time.time() * 1000)
