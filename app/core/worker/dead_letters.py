"""Jobs that failed for good are kept in the outbox until somebody decides about them."""

import traceback

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core import outbox
from app.core.envelope import Envelope
from app.core.exceptions import DatabaseUnavailable
from app.core.resources import Resources

log = structlog.stdlib.get_logger("app.worker")

LONGEST_TRACEBACK = 10_000
LONGEST_ERROR = 1_000


async def bury(
    resources: Resources,
    job: Envelope,
    attempts: int,
    error: BaseException | str,
    *,
    crashes: int = 0,
) -> bool:
    """Keep a failed job with its reason. False while the database is away: it must be kept later.

    `attempts` counts the tries that failed, `crashes` the workers that died.
    """
    try:
        async with resources.unit_of_work() as uow:
            await outbox.bury(
                uow.session,
                job,
                attempts=attempts,
                crashes=crashes,
                error=describe(error),
                traceback=_last_lines(error),
            )
    except (DatabaseUnavailable, SQLAlchemyError, OSError) as failure:
        log.error("job.not_buried", job_id=str(job.id), job=job.name, error=describe(failure))  # noqa: TRY400
        return False
    return True


def describe(error: BaseException | str) -> str:
    """Say in one line what went wrong."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return text.replace("\x00", "")[:LONGEST_ERROR]


def _last_lines(error: BaseException | str) -> str | None:
    if isinstance(error, str):
        return None
    text = "".join(traceback.format_exception(error)).replace("\x00", "")
    return text[-LONGEST_TRACEBACK:]
