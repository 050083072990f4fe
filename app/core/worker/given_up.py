"""Jobs that no handler could be given: what arq or the claim gives up, read as far as it goes."""

from uuid import NAMESPACE_OID, UUID, uuid5

import structlog
from pydantic import JsonValue

from app.core.envelope import Envelope
from app.core.queue import Queue
from app.core.redis import from_json
from app.core.resources import Resources
from app.core.worker.claims import Claim
from app.core.worker.dead_letters import bury

log = structlog.stdlib.get_logger("app.worker")

CRASHES = 3
"""So often a job may take its worker along."""

LONGEST_UNREADABLE = 2_000
LONGEST_PAYLOAD = 100_000


async def bury_crashed(resources: Resources, queue: Queue, claim: Claim) -> bool:
    """Bury a job whose worker died too often while it ran; False when that could not be done."""
    error = f"WorkerDied: the worker died {claim.crashes} times while this job ran"
    return await _bury(resources, queue, claim, error)


async def bury_given_up(
    resources: Resources, queue: Queue, claim: Claim, result: bytes | None
) -> bool:
    """Bury a job with arq's reason, which stands in its result; False when it could not be done."""
    reason = from_json(result).get("r") if result else None
    match reason:
        case {"error": str(name), "message": str(message)}:
            return await _bury(resources, queue, claim, f"{name}: {message}")
        case _:
            return await _bury(resources, queue, claim, str(reason))


async def _bury(resources: Resources, queue: Queue, claim: Claim, error: str) -> bool:
    job = _read(queue, claim)
    log.error("job.given_up", job=job.name, job_id=claim.job_id, queue=queue.name, error=error)
    return await bury(resources, job, claim.tries, error, crashes=claim.crashes)


def _read(queue: Queue, claim: Claim) -> Envelope:
    """Read what can be read. An id that is none of ours, and what it holds, are kept as text."""
    name, payload, request_id = "<unreadable>", None, None
    if claim.payload is not None and len(claim.payload) <= LONGEST_PAYLOAD:
        name, payload, request_id = _decode(claim.payload)
    if payload is None:
        payload = {"unreadable": repr((claim.payload or b"")[:LONGEST_UNREADABLE])}
    try:
        job_id = UUID(claim.job_id)
    except ValueError:
        job_id = uuid5(NAMESPACE_OID, f"{queue.name}/{claim.job_id}")
        payload = {**payload, "foreign_id": claim.job_id[:LONGEST_UNREADABLE]}
    return Envelope(id=job_id, queue=queue.name, name=name, payload=payload, request_id=request_id)


def _decode(data: bytes) -> tuple[str, dict[str, JsonValue] | None, str | None]:
    try:
        job = from_json(data)
    except (ValueError, LookupError, TypeError):
        return "<unreadable>", None, None
    match job:
        case {"f": str(name), "a": [dict(payload)], "k": dict(options)}:
            request_id = options.get("request_id")
            return name[:255], dict(payload), str(request_id)[:64] if request_id else None
        case {"f": str(name)}:
            return name[:255], None, None
        case _:
            return "<unreadable>", None, None
