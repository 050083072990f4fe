"""What operators do with one job."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from app.core.exceptions import NotFound
from app.routes.pages.notices import Notice
from app.services.operations import JobOperations


class UnknownAction(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such action")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAction:
    """An action on one job."""

    button: str
    text: str
    notice: Notice
    run: Callable[[JobOperations, UUID], Awaitable[None]]
    dangerous: bool = False


ACTIONS: Mapping[str, JobAction] = {
    "retry": JobAction(
        button="Retry",
        text="The job gets all of its tries again, the first one at once.",
        notice=Notice.JOB_RETRIED,
        run=JobOperations.retry,
    ),
    "discard": JobAction(
        button="Discard",
        text="The dead letter is deleted. Its effect will never happen.",
        notice=Notice.JOB_DISCARDED,
        run=JobOperations.discard,
        dangerous=True,
    ),
    "cancel": JobAction(
        button="Cancel the job",
        text="A job that waits is removed. One that runs is stopped within a second.",
        notice=Notice.JOB_CANCELED,
        run=JobOperations.cancel,
        dangerous=True,
    ),
}


def find_job_action(name: str) -> JobAction:
    """Return the action of this name. Raise UnknownAction."""
    if (action := ACTIONS.get(name)) is None:
        raise UnknownAction
    return action
