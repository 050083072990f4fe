"""Stores jobs that failed for good in the outbox, until an operator retries or discards them."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import structlog
from pydantic import JsonValue

from app.core.broker.errors import describe, traceback_of
from app.core.broker.message import Envelope
from app.core.broker.sensitive import redact
from app.core.database import DATABASE_ERRORS
from app.core.job_store import outbox
from app.core.queue import find_job_class
from app.core.resources import Resources

log = structlog.stdlib.get_logger("app.worker")

RETRY_DELAY = 30.0
"""Seconds until the next try of a job whose dead letter could not be stored."""


async def dead_letter(  # noqa: PLR0913  the parts of a dead letter
    resources: Resources,
    job: Envelope,
    attempts: int,
    error: BaseException,
    *,
    crashes: int = 0,
    with_traceback: bool = True,
) -> bool:
    """Store a failed job with its error. Return False if the database is unavailable.

    `attempts` counts the tries that failed, `crashes` the workers that died. Values that the job
    class marks as sensitive are removed from the error.
    """
    job_class = find_job_class(job.name)
    traceback = traceback_of(error) if with_traceback else None
    try:
        async with resources.unit_of_work() as uow:
            await outbox.dead_letter(
                uow.session,
                replace(job, name=job.name.replace("\x00", ""), payload=_storable(job.payload)),
                attempts=attempts,
                crashes=crashes,
                error=redact(describe(error), job_class, job.payload),
                traceback=traceback and redact(traceback, job_class, job.payload),
            )
    except DATABASE_ERRORS as failure:
        reason = describe(failure)
        log.error("job.dead_letter_failed", job_id=str(job.id), job=job.name, error=reason)  # noqa: TRY400
        return False
    return True


async def delete_row(resources: Resources, job_id: UUID) -> bool:
    """Delete the row of a canceled job. Return False if the database is unavailable."""
    try:
        async with resources.unit_of_work() as uow:
            await uow.first(outbox.REMOVE, job_id=job_id)
    except DATABASE_ERRORS as failure:
        log.error("job.row_not_deleted", job_id=str(job_id), error=describe(failure))  # noqa: TRY400
        return False
    return True


def _storable(payload: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Remove NUL, the only character that JSON can contain and PostgreSQL cannot store."""
    return {key.replace("\x00", ""): _without_nul(value) for key, value in payload.items()}


def _without_nul(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return value.replace("\x00", "")
        case list():
            return [_without_nul(each) for each in value]
        case dict():
            return _storable(value)
        case _:
            return value
