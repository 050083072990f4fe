"""Rejected jobs, which reach no handler. They become dead letters with all readable data."""

from typing import cast
from uuid import NAMESPACE_OID, UUID, uuid5

import pydantic_core
import structlog
from pydantic import JsonValue

from app.core.broker.errors import describe
from app.core.broker.message import Envelope
from app.core.job_store.live import UNREADABLE
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.telemetry.errors import report_error
from app.core.telemetry.traceparent import readable
from app.core.worker.claims import Claim
from app.core.worker.execution.dead_letters import dead_letter

log = structlog.stdlib.get_logger("app.worker")

MAX_NAME = 255
MAX_REQUEST_ID = 64
MAX_UNREADABLE = 2_000
MAX_PAYLOAD = 100_000


class Rejected(Exception):
    """The reason why a job reaches no handler."""


class WorkerDied(Rejected):
    def __init__(self, crashes: int) -> None:
        super().__init__(f"the worker died {crashes} times while this job ran")


class PayloadMissing(Rejected):
    def __init__(self) -> None:
        super().__init__("Redis has the id of this job but not its payload")


class UnreadablePayload(Rejected):
    """The payload does not have the format of this service."""


class OtherRelease(Rejected):
    """Another release may be able to run the job."""


class UnknownJob(OtherRelease):
    def __init__(self, name: str, queue: Queue) -> None:
        super().__init__(
            f"this release has no job {name!r} on the queue {queue.name!r}. "
            "Deploy a worker that has it"
        )


class Mismatch(OtherRelease):
    """The payload is not valid for the job class of this release."""


class TriesExceeded(Rejected):
    def __init__(self, max_tries: int) -> None:
        super().__init__(f"all {max_tries} tries have been used")


async def reject(resources: Resources, queue: Queue, claim: Claim, reason: Rejected) -> bool:
    """Store a job as a dead letter. Return False if the database is unavailable."""
    job = read_envelope(queue, claim)
    error = describe(reason)
    log.error("job.rejected", job=job.name, job_id=claim.job_id, queue=queue.name, error=error)
    is_stored = await dead_letter(
        resources, job, claim.tries, reason, crashes=claim.crashes, with_traceback=False
    )
    if is_stored:
        tags = {"queue": queue.name, "job": job.name, "job_id": str(job.id)}
        report_error(reason, {**tags, "request_id": job.request_id})
    return is_stored


def read_envelope(queue: Queue, claim: Claim) -> Envelope:
    """Read a job as far as possible. Invalid JSON, and an id that is no UUID, become text."""
    name, payload, options = _read(claim.payload or b"")
    try:
        job_id = UUID(claim.job_id)
    except ValueError:
        job_id = uuid5(NAMESPACE_OID, f"{queue.name}/{claim.job_id}")
        payload = {**payload, "foreign_id": claim.job_id[:MAX_UNREADABLE]}
    request_id = options.get("request_id")
    return Envelope(
        id=job_id,
        queue=queue.name,
        name=name,
        payload=payload,
        request_id=str(request_id)[:MAX_REQUEST_ID] if request_id else None,
        durable=options.get("kept") is True,
        traceparent=readable(options.get("traceparent")),
    )


def read_name(data: bytes) -> str:
    """Return the name of a job, or `<unreadable>`."""
    return _read(data)[0]


def read_sent_ms(data: bytes) -> int | None:
    """Return when a job was sent, or None if its payload is unreadable."""
    match _from_json(data):
        case {"et": int(sent_ms)}:
            return sent_ms
        case _:
            return None


def _read(data: bytes) -> tuple[str, dict[str, JsonValue], dict[str, JsonValue]]:
    """Return the name, the payload, and the options of a job."""
    unreadable: dict[str, JsonValue] = {"unreadable": repr(data[:MAX_UNREADABLE])}
    match _from_json(data):
        case {"f": str(name), "a": [dict(payload)], "k": dict(options), **others}:
            return name[:MAX_NAME], payload, {**options, **others}
        case {"f": str(name)}:
            return name[:MAX_NAME], unreadable, {}
        case _:
            return UNREADABLE, unreadable, {}


def _from_json(data: bytes) -> JsonValue:
    """Parse JSON. Return None if it is invalid or too long."""
    if len(data) > MAX_PAYLOAD:
        return None
    try:
        return cast("JsonValue", pydantic_core.from_json(data))
    except ValueError:
        return None
