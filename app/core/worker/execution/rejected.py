"""Jobs that no handler is given: they become dead letters with whatever can be read of them."""

from typing import cast
from uuid import NAMESPACE_OID, UUID, uuid5

import pydantic_core
import structlog
from pydantic import JsonValue

from app.core.broker.errors import describe
from app.core.broker.message import Envelope
from app.core.queue import Queue
from app.core.resources import Resources
from app.core.telemetry.errors import report_error
from app.core.telemetry.traceparent import readable
from app.core.worker.claims import Claim
from app.core.worker.execution.dead_letters import dead_letter

log = structlog.stdlib.get_logger("app.worker")

UNREADABLE = "<unreadable>"
"""The name of a job whose payload does not say it."""

LONGEST_NAME = 255
LONGEST_REQUEST_ID = 64
LONGEST_UNREADABLE = 2_000
LONGEST_PAYLOAD = 100_000


class Rejected(Exception):
    """The reason why a job is given to no handler."""


class WorkerDied(Rejected):
    def __init__(self, crashes: int) -> None:
        super().__init__(f"the worker died {crashes} times while this job ran")


class PayloadMissing(Rejected):
    def __init__(self) -> None:
        super().__init__("Redis has the id of this job but not its payload")


class UnreadablePayload(Rejected):
    """The payload is not what this service writes."""


class OtherRelease(Rejected):
    """Another release can run the job: it has the class, or one that the payload fits."""


class UnknownJob(OtherRelease):
    def __init__(self, name: str, queue: Queue) -> None:
        super().__init__(
            f"this release has no job {name!r} on the queue {queue.name!r}. "
            "Deploy a worker that has it"
        )


class Mismatch(OtherRelease):
    """The payload does not fit the job class of this release."""


class TriesExceeded(Rejected):
    def __init__(self, max_tries: int) -> None:
        super().__init__(f"all {max_tries} tries have been used")


async def reject(resources: Resources, queue: Queue, claim: Claim, reason: Rejected) -> bool:
    """Make a job a dead letter. Return False while the database does not take it."""
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
    """Read what can be read. What is not JSON, or an id that is not a UUID, is stored as text."""
    name, payload, options = _read(claim.payload or b"")
    try:
        job_id = UUID(claim.job_id)
    except ValueError:
        job_id = uuid5(NAMESPACE_OID, f"{queue.name}/{claim.job_id}")
        payload = {**payload, "foreign_id": claim.job_id[:LONGEST_UNREADABLE]}
    request_id = options.get("request_id")
    return Envelope(
        id=job_id,
        queue=queue.name,
        name=name,
        payload=payload,
        request_id=str(request_id)[:LONGEST_REQUEST_ID] if request_id else None,
        durable=options.get("kept") is True,
        traceparent=readable(options.get("traceparent")),
    )


def read_name(data: bytes) -> str:
    """Return the name of a job as far as its payload says it."""
    return _read(data)[0]


def read_sent_ms(data: bytes) -> int | None:
    """Return when a job was sent, as far as its payload says it."""
    match _from_json(data):
        case {"et": int(sent_ms)}:
            return sent_ms
        case _:
            return None


def _read(data: bytes) -> tuple[str, dict[str, JsonValue], dict[str, JsonValue]]:
    """Return the name, the payload, and the options of a job."""
    unreadable: dict[str, JsonValue] = {"unreadable": repr(data[:LONGEST_UNREADABLE])}
    match _from_json(data):
        case {"f": str(name), "a": [dict(payload)], "k": dict(options), **others}:
            return name[:LONGEST_NAME], payload, {**options, **others}
        case {"f": str(name)}:
            return name[:LONGEST_NAME], unreadable, {}
        case _:
            return UNREADABLE, unreadable, {}


def _from_json(data: bytes) -> JsonValue:
    """Return None for what is not JSON, and for what is too long to look at."""
    if len(data) > LONGEST_PAYLOAD:
        return None
    try:
        return cast("JsonValue", pydantic_core.from_json(data))
    except ValueError:
        return None
